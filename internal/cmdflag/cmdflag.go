// Package cmdflag checks the flags of the project's commands. The package flag reports a bad number
// as "parse error"; the errors here say what is wanted.
package cmdflag

import (
	"errors"
	"flag"
	"fmt"
	"io"
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

// Parse reads a command line that has flags only. The caller prints the error. After -help it prints
// usage and the flags to stdout, and returns flag.ErrHelp.
func Parse(flags *flag.FlagSet, args []string, usage string, stdout io.Writer) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if err == nil {
		return NoArguments(flags)
	}
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
	}
	return err
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
