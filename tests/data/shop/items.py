"""What the shop sells; prices are in cents."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    name: str
    price: int
    quantity: int = 1

    def total(self) -> int:
        return self.price * self.quantity


def total(items: list[Item]) -> int:
    return sum(item.total() for item in items)


def cheapest(items: list[Item]) -> Item:
    return min(items, key=lambda item: item.price)
