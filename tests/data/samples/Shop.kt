package shop

import kotlin.math.max

data class Item(
    val name: String,
    val price: Int = 0,
) : Thing {
    companion object {
        fun of(name: String) = Item(name)
    }

    fun total(count: Int): Int {
        val sum = listOf(1, 2)
            .map { it * count }
            .sum()
        return if (sum > 0) {
            max(sum, price)
        } else {
            price
        }
    }
}
