package main

import (
	"fmt"
	"os"
)

func main() {
	err := Watched(func() error {
		fmt.Println("Your job goes here.")
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
