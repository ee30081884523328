//! Reads a stock list: a line an item, such as `A-17;Teapot;12`.

use std::collections::HashMap;

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub sku: String,
    pub name: String,
    pub count: u32,
}

pub fn parse_line(line: &str) -> Option<Entry> {
    let mut fields = line.trim().split(';');
    let sku = fields.next()?.to_string();
    let name = fields.next()?.to_string();
    let count = fields.next()?.parse().ok()?;
    Some(Entry { sku, name, count })
}

pub fn parse(text: &str) -> Vec<Entry> {
    text.lines().filter_map(parse_line).collect()
}

pub fn by_sku(entries: Vec<Entry>) -> HashMap<String, Entry> {
    let mut found = HashMap::new();
    for entry in entries {
        found.insert(entry.sku.clone(), entry);
    }
    found
}

pub fn sold_out(entries: &[Entry]) -> Vec<&Entry> {
    entries.iter().filter(|entry| entry.count == 0).collect()
}
