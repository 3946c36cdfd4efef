package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], streams{Out: os.Stdout, Err: os.Stderr, Env: os.Getenv}))
}
