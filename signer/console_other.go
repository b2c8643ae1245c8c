//go:build !js

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"h5pay/internal/cmdflag"
)

// console is what a command reads and writes.
type console struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// usageError is a command line that cannot be run.
type usageError string

func (e usageError) Error() string { return string(e) }

// commandFlags are the flags of a command.
type commandFlags struct {
	*flag.FlagSet
	does string // for the help
}

func newFlags(name, does string) commandFlags {
	flags := flag.NewFlagSet("h5pay "+name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints the error
	flags.Usage = func() {}
	return commandFlags{flags, does}
}

// parse parses the arguments of a command, which are flags only. With -help it prints the flags.
func (c *console) parse(flags commandFlags, args []string) error {
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(c.stdout, "%s %s\n\n", flags.Name(), flags.does)
		flags.SetOutput(c.stdout)
		flags.PrintDefaults()
		return err
	}
	if err == nil {
		err = cmdflag.NoArguments(flags.FlagSet)
	}
	if err != nil {
		return usageError(err.Error())
	}
	return nil
}
