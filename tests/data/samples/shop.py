from __future__ import annotations

import os


@decorated(by="us")
class Item(
    Thing,
):
    """An item."""

    async def total(self, count: int = 0) -> int:
        async with self.lock as lock, other:
            try:
                x = {"a": [n for n in range(count)], **self.rest}
            except (KeyError, ValueError) as error:
                raise RuntimeError(f"bad {count!r}") from error
            else:
                return lambda y: y + x["a"]
        match count:
            case 0:
                pass
            case _:
                return os.path.join(
                    "a",
                    "b",
                )
