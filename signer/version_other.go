//go:build !js

package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version prints the version of the program, which the Go command takes from git.
func version(_ context.Context, c *console, args []string) error {
	flags := newFlags("version", "prints the version.")
	if err := c.parse(flags, args); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "h5pay", buildVersion())
	return nil
}

// buildVersion is the version, the commit and the platform of this program.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	parts := []string{info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			parts = append(parts, s.Value)
		}
	}
	return strings.Join(append(parts, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH), " ")
}
