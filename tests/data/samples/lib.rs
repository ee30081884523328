use std::collections::HashMap;

/// A point.
#[derive(Debug, Clone)]
pub struct Point<'a> {
    name: &'a str,
    x: f64,
}

impl<'a> Point<'a> {
    pub fn new(name: &'a str) -> Self {
        Self { name, x: 0.0 }
    }

    fn kinds(&self) -> Option<HashMap<String, u8>> {
        let found = vec![1, 2]
            .iter()
            .map(|n| n + 1)
            .collect::<Vec<_>>();
        match found.first() {
            Some(n) if *n > 1 => None,
            _ => None,
        }
    }
}
