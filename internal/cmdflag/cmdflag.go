// Package cmdflag checks the flags of the project's commands. The package flag reports a bad number
// as "parse error"; the errors here say what is wanted.
package cmdflag

import (
	"flag"
	"fmt"
	"strconv"
)

type value struct {
	n   *int
	min int
}

// Int defines a flag that stores an integer of at least min in n. initial is its default.
func Int(flags *flag.FlagSet, n *int, name string, initial, min int, usage string) {
	*n = initial
	flags.Var(&value{n, min}, name, usage)
}

// NoArguments returns an error if there are arguments besides the flags.
func NoArguments(flags *flag.FlagSet) error {
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: want flags only", flags.Arg(0))
	}
	return nil
}

func (v *value) String() string {
	if v.n == nil {
		return "" // the zero value, which package flag creates
	}
	return strconv.Itoa(*v.n)
}

func (v *value) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < v.min {
		return fmt.Errorf("want a number of at least %d", v.min)
	}
	*v.n = n
	return nil
}
