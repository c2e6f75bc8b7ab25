//! Sorting records with closures and iterator chains: stable and unstable sorts, a comparator behind `dyn`.
struct Item {
    key: u32,
    weight: f32,
    group: u8,
}

fn items(state: &mut u32, count: usize) -> Vec<Item> {
    (0..count)
        .map(|_| {
            *state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            Item { key: *state >> 8, weight: (*state >> 20) as f32 / 7.0, group: (*state >> 13) as u8 % 17 }
        })
        .collect()
}

type Order = Box<dyn Fn(&Item, &Item) -> std::cmp::Ordering>;

#[no_mangle]
pub extern "C" fn run() -> u64 {
    let mut state = 3;
    let orders: Vec<Order> = vec![
        Box::new(|a, b| a.key.cmp(&b.key)),
        Box::new(|a, b| b.weight.partial_cmp(&a.weight).unwrap().then(a.key.cmp(&b.key))),
        Box::new(|a, b| (a.group, b.key).cmp(&(b.group, a.key))),
    ];
    let mut sum: u64 = 0;
    for order in &orders {
        let mut list = items(&mut state, 14_000);
        list.sort_by(|a, b| order(a, b));
        sum = list.iter().fold(sum, |sum, item| sum.rotate_left(7) ^ u64::from(item.key));
        list.sort_unstable_by_key(|item| item.key.reverse_bits());
        sum = list.iter().filter(|item| item.group != 3).fold(sum, |sum, item| sum.rotate_left(3) ^ u64::from(item.key));
        list.sort_by_cached_key(|item| item.key.count_ones());
        sum = list.iter().zip(list.iter().skip(1)).fold(sum, |sum, (a, b)| sum.wrapping_add(u64::from(a.key ^ b.key)));
    }
    sum
}
