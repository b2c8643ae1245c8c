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
	return commandFlags{flag.NewFlagSet("h5pay "+name, flag.ContinueOnError), does}
}

// parse parses the arguments of a command, which are flags only. With -help it prints the flags.
func (c *console) parse(flags commandFlags, args []string) error {
	err := cmdflag.Parse(flags.FlagSet, args, fmt.Sprintf("%s %s\n\n", flags.Name(), flags.does), c.stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return usageError(err.Error())
	}
	return err
}
