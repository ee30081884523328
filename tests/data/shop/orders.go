// Package shop keeps orders in a JSON file.
package shop

import (
	"encoding/json"
	"fmt"
	"os"
)

// Order is what a customer has bought.
type Order struct {
	ID       int    `json:"id"`
	Customer string `json:"customer"`
	Cents    int    `json:"cents"`
	Paid     bool   `json:"paid"`
}

// Load reads all orders from a file.
func Load(path string) ([]Order, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	var orders []Order
	if err := json.Unmarshal(data, &orders); err != nil {
		return nil, fmt.Errorf("cannot parse %s: %w", path, err)
	}
	return orders, nil
}

// Unpaid returns the orders that have not been paid.
func Unpaid(orders []Order) []Order {
	var unpaid []Order
	for _, order := range orders {
		if !order.Paid {
			unpaid = append(unpaid, order)
		}
	}
	return unpaid
}

// Revenue sums what paid orders have brought in.
func Revenue(orders []Order) int {
	sum := 0
	for _, order := range orders {
		if order.Paid {
			sum += order.Cents
		}
	}
	return sum
}
