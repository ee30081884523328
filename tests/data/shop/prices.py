"""Prices in cents, so that no sum is ever off by one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    name: str
    price: int
    quantity: int = 1

    def total(self) -> int:
        return self.price * self.quantity


def discounted(price: int, percent: int) -> int:
    """The price less a discount, in whole cents.

    >>> discounted(1000, 25)
    750
    """
    return price * (100 - percent) // 100


def total(items: list[Item]) -> int:
    return sum(item.total() for item in items)


def cheapest(items: list[Item]) -> Item:
    return min(items, key=lambda item: item.price)


def parse_item(line: str) -> Item:
    """Reads an item from a line such as "Teapot;1250;2"."""
    name, price, quantity = line.split(";")
    return Item(name, int(price), int(quantity))


def stock(items: list[Item]) -> dict[str, int]:
    """Counts how many there are of each name."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.name] = counts.get(item.name, 0) + item.quantity
    return counts


def affordable(items: list[Item], budget: int) -> list[Item]:
    """The items that cost at most the budget, the cheapest first."""
    return sorted((item for item in items if item.price <= budget), key=lambda item: item.price)


def format_price(cents: int, currency: str = "EUR") -> str:
    """Writes a price for people: 1205 becomes "12.05 EUR"."""
    return f"{cents // 100}.{cents % 100:02} {currency}"
