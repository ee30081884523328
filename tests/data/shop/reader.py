"""Reads items from text files."""

from items import Item


def read_items(text: str) -> list[Item]:
    return [parse_item(line) for line in text.splitlines() if line.strip()]


def parse_item(line: str) -> Item:
    """Reads a name, a price in whole cents and a quantity, as in "Teapot;1250;2"."""
    name, price, quantity = line.split(";")
    return Item(name, int(price), int(quantity))
