//! A small map, sorted by its keys. What the host sends is sorted already, and goes in at the end.

use std::borrow::Borrow;

/// Keys and values in the order of the keys, texts by their bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Map<K, V>(Vec<(K, V)>);

impl<K: Ord + Borrow<str>, V> Map<K, V> {
    pub fn new() -> Map<K, V> {
        Map(Vec::new())
    }

    /// Adds a key; whether it was new. One that is there already stays as it is.
    pub fn insert(&mut self, key: K, value: V) -> bool {
        let last = self.0.last().map_or(true, |(last, _)| *last < key);
        match if last { Err(self.0.len()) } else { self.find(key.borrow()) } {
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, (key, value));
                true
            }
        }
    }

    pub fn get(&self, key: &str) -> Option<&V> {
        self.find(key).ok().map(|place| &self.0[place].1)
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        self.find(key).ok().map(|place| self.0.remove(place).1)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, (K, V)> {
        self.0.iter()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.borrow().cmp(key))
    }
}

/// Of two values for one key the first counts.
impl<K: Ord + Borrow<str>, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Map<K, V> {
        let mut map = Map::new();
        for (key, value) in members {
            map.insert(key, value);
        }
        map
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
