"""Shapes and what they measure."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rectangle:
    width: float
    height: float

    def area(self) -> float:
        return self.width * self.height

    def scaled(self, factor: float) -> Rectangle:
        return Rectangle(self.width * factor, self.height * factor)


@dataclass(frozen=True)
class Circle:
    radius: float

    def area(self) -> float:
        return math.pi * self.radius**2

    def scaled(self, factor: float) -> Circle:
        return Circle(self.radius * factor)


class Drawing:
    def __init__(self, name: str) -> None:
        self.name = name
        self.shapes: list[Rectangle | Circle] = []

    def add(self, shape: Rectangle | Circle) -> None:
        self.shapes.append(shape)

    def area(self) -> float:
        return sum(shape.area() for shape in self.shapes)

    def largest(self) -> Rectangle | Circle | None:
        if not self.shapes:
            return None
        return max(self.shapes, key=lambda shape: shape.area())

    def scaled(self, factor: float) -> Drawing:
        drawing = Drawing(self.name)
        for shape in self.shapes:
            drawing.add(shape.scaled(factor))
        return drawing
