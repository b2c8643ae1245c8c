package cmdflag_test

import (
	"flag"
	"io"
	"strings"
	"testing"

	"h5pay/internal/cmdflag"
)

func TestInt(t *testing.T) {
	for _, test := range []struct {
		args string
		want int
		err  string
	}{
		{"", 7, ""},
		{"-n 2", 2, ""},
		{"-n 9000", 9000, ""},
		{"-n 1", 7, `invalid value "1" for flag -n: want a number of at least 2`},
		{"-n -3", 7, `invalid value "-3" for flag -n: want a number of at least 2`},
		{"-n many", 7, `invalid value "many" for flag -n: want a number of at least 2`},
		{"-n 1e3", 7, `invalid value "1e3" for flag -n: want a number of at least 2`},
		{"-n 99999999999999999999", 7, `invalid value "99999999999999999999" for flag -n: want a number of at least 2`},
	} {
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		var n int
		cmdflag.Int(flags, &n, "n", 7, 2, "a number")
		err := flags.Parse(strings.Fields(test.args))
		text := ""
		if err != nil {
			text = err.Error()
		}
		if n != test.want || text != test.err {
			t.Errorf("%q: %d, %q; want %d, %q", test.args, n, text, test.want, test.err)
		}
	}
}

func TestNoArguments(t *testing.T) {
	for args, want := range map[string]string{
		"":          "",
		"-n 3":      "",
		"-n 3 more": `unexpected argument "more": want flags only`,
		"3":         `unexpected argument "3": want flags only`,
	} {
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		flags.Int("n", 1, "a number")
		if err := flags.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		text := ""
		if err := cmdflag.NoArguments(flags); err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("%q: %q, want %q", args, text, want)
		}
	}
}

// The usage of a flag shows its default.
func TestDefaultIsShown(t *testing.T) {
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	var out strings.Builder
	flags.SetOutput(&out)
	var n int
	cmdflag.Int(flags, &n, "n", 7, 2, "a number")
	flags.PrintDefaults()
	if !strings.Contains(out.String(), "(default 7)") {
		t.Errorf("%s", &out)
	}
}
