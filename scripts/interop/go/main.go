// Judges notes and proofs of the log with golang.org/x/mod/sumdb. Reads a JSON array of inputs from standard input and
// writes one verdict a line: "accepted", or "refused: " and why. Anything it cannot read ends it with exit code 2.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type input struct {
	Check, Note, Vkey, Witness, Proof, Old, New, Folder string
	Leaf                                                []byte
}

var checks = map[string]func(input) error{
	"checkpoint":  func(in input) error { _, err := open(in.Note, in.Vkey); return err },
	"cosignature": cosigned,
	"inclusion":   included,
	"consistency": consistent,
	"tiles":       exported,
}

func main() {
	var inputs []input
	if err := json.NewDecoder(os.Stdin).Decode(&inputs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, in := range inputs {
		check, ok := checks[in.Check]
		if !ok {
			fmt.Fprintf(os.Stderr, "no check %q\n", in.Check)
			os.Exit(2)
		}
		if err := check(in); err != nil {
			fmt.Println("refused: " + strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("accepted")
		}
	}
}

// open verifies a checkpoint by the log's key and every further verifier, and reads its three lines.
func open(text, vkey string, more ...note.Verifier) (tree tlog.Tree, err error) {
	log, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(append(more, log)...))
	if err != nil {
		return tree, err
	}
	// Open asks for one signature, and every verifier here has to have signed.
	if len(opened.Sigs) != 1+len(more) {
		return tree, fmt.Errorf("%d of %d signed", len(opened.Sigs), 1+len(more))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != log.Name() || lines[3] != "" {
		return tree, errors.New("the text is not origin, size and root")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func cosigned(in input) error {
	key, err := newWitness(in.Witness)
	if err != nil {
		return err
	}
	_, err = open(in.Note, in.Vkey, key)
	return err
}

// included reads a c2sp.org/tlog-proof@v1 file about a leaf.
func included(in input) error {
	head, checkpoint, found := strings.Cut(in.Proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return errors.New("not a proof file")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	proof, err := hashes(lines[2:])
	if err != nil {
		return err
	}
	tree, err := open(checkpoint, in.Vkey)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(in.Leaf))
}

func consistent(in input) error {
	older, err := open(in.Old, in.Vkey)
	if err != nil {
		return err
	}
	newer, err := open(in.New, in.Vkey)
	if err != nil {
		return err
	}
	var lines []string
	if in.Proof != "" {
		lines = strings.Split(strings.TrimSuffix(in.Proof, "\n"), "\n")
	}
	proof, err := hashes(lines)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash)
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		all = append(all, hash)
	}
	return all, nil
}

// witness is a verifier of cosignature/v1 lines, which the note package lets one add.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newWitness(vkey string) (*witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a verifier key")
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 33 || data[0] != 4 {
		return nil, errors.New("not a verifier key of type 4")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	hash := binary.BigEndian.Uint32(sum[:4])
	if fmt.Sprintf("%08x", hash) != parts[1] {
		return nil, errors.New("the verifier key has another hash")
	}
	return &witness{parts[0], hash, data[1:]}, nil
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }

func (w *witness) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	message := append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", time)), text...)
	return ed25519.Verify(w.key, message, sig[8:])
}
