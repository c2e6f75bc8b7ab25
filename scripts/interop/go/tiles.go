package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Hashes of a tile are 2^8.
const height = 8

// exported reads a folder of tiles: the checkpoint, the tree's root from the tiles, and every entry with a proof made of
// them.
func exported(in input) error {
	text, err := os.ReadFile(filepath.Join(in.Folder, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := open(string(text), in.Vkey)
	if err != nil {
		return err
	}
	// Refuses tiles that are not of the tree with the checkpoint's root.
	reader := tlog.TileHashReader(tree, folder(in.Folder))
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return errors.New("the tiles have another root")
	}
	for first := int64(0); first < tree.N; first += 1 << height {
		if err := entriesFrom(in.Folder, tree, first, reader); err != nil {
			return err
		}
	}
	return nil
}

// entriesFrom checks the entries of one bundle, which begins with the entry first.
func entriesFrom(dir string, tree tlog.Tree, first int64, reader tlog.HashReader) error {
	count := tree.N - first
	if count > 1<<height {
		count = 1 << height
	}
	tile := tlog.Tile{H: height, L: -1, N: first >> height, W: int(count)}
	path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		return err
	}
	for index := first; index < first+count; index++ {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return fmt.Errorf("%s is cut", path)
		}
		length := 2 + int(binary.BigEndian.Uint16(data))
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(data[2:length])); err != nil {
			return fmt.Errorf("entry %d: %v", index, err)
		}
		data = data[length:]
	}
	if len(data) > 0 {
		return fmt.Errorf("%s has more than its entries", path)
	}
	return nil
}

// folder reads tiles where C2SP tlog-tiles has them: the height is in no path, and a tile has the width that was asked for.
type folder string

func (dir folder) Height() int { return height }

func (dir folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(string(dir), path))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path, len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

func (dir folder) SaveTiles([]tlog.Tile, [][]byte) {}
