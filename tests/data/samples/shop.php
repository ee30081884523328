<?php
namespace Shop;

use Other\Thing;

class Item extends Thing
{
    public function total(int $count): int
    {
        foreach ([1, 2] as $n) {
            $count += $n;
        }
        return $count;
    }
}
