package main

import (
	"fmt"
)

type Point struct {
	X int `json:"x"`
}

func (p *Point) Move(by int) error {
	if by < 0 {
		return fmt.Errorf("bad %d", by)
	} else if by == 0 {
		return nil
	}
	for i := range []int{1, 2} {
		p.X += i
	}
	return nil
}
