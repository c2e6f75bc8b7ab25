//! A small expression language run through boxed trait objects, beside the same sums by generics; floats and matches.
trait Shape {
    fn area(&self) -> f64;
    fn scale(&mut self, by: f64);
}

struct Circle(f64);
struct Rectangle(f64, f64);
struct Triangle(f64, f64, f64);

impl Shape for Circle {
    fn area(&self) -> f64 {
        self.0 * self.0 * std::f64::consts::PI
    }
    fn scale(&mut self, by: f64) {
        self.0 *= by;
    }
}

impl Shape for Rectangle {
    fn area(&self) -> f64 {
        self.0 * self.1
    }
    fn scale(&mut self, by: f64) {
        self.0 *= by;
        self.1 *= by;
    }
}

impl Shape for Triangle {
    fn area(&self) -> f64 {
        let half = (self.0 + self.1 + self.2) / 2.0;
        (half * (half - self.0) * (half - self.1) * (half - self.2)).max(0.0).sqrt()
    }
    fn scale(&mut self, by: f64) {
        self.0 *= by;
        self.1 *= by;
        self.2 *= by;
    }
}

#[no_mangle]
pub extern "C" fn run() -> f64 {
    let mut state: u32 = 17;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        state >> 8
    };
    let mut shapes: Vec<Box<dyn Shape>> = (0..5000)
        .map(|_| -> Box<dyn Shape> {
            let size = f64::from(next() % 1000) / 100.0 + 1.0;
            match next() % 3 {
                0 => Box::new(Circle(size)),
                1 => Box::new(Rectangle(size, size + 0.5)),
                _ => Box::new(Triangle(size, size + 0.25, size + 0.5)),
            }
        })
        .collect();
    let mut total = 0.0;
    for round in 0..160 {
        let by = if round % 2 == 0 { 1.25 } else { 0.8 };
        for shape in shapes.iter_mut() {
            shape.scale(by);
        }
        total += shapes.iter().map(|shape| shape.area()).filter(|area| *area > 3.0).sum::<f64>();
    }
    total
}
