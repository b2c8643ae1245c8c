// Command scale predicts how many orders a second a shop takes and how long a buyer waits, and
// measures it. docs/scale.md explains the figures.
//
//	go run ./e2e/scale                    print the tables of docs/scale.md that the model computes
//	go run ./e2e/scale -measure           compare the model with the databases of this machine
//	go run ./e2e/scale -postgres 200000   fill PostgreSQL with orders, and time calls
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"h5pay/internal/cleanup"
	"h5pay/internal/cmdflag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	lang := flag.String("lang", "en", "`language` of the tables, en or zh")
	measures := flag.Bool("measure", false, "compare the model with the databases of this machine (minutes)")
	seconds := flag.Duration("for", 3*time.Second, "`time` of each measurement")
	var orders int
	cmdflag.Int(flag.CommandLine, &orders, "postgres", 0, 0, "fill PostgreSQL with a `number` of orders, and time the calls of an operator, a buyer and the timers")
	database := flag.String("database", "", "`URL` of an empty database for -postgres, or of one that was filled before; without it a server of its own")
	flag.Parse()
	cleanup.Main(func() int {
		err := cmdflag.NoArguments(flag.CommandLine)
		switch {
		case err != nil:
		case *lang != "en" && *lang != "zh":
			err = fmt.Errorf("-lang %s: want en or zh", *lang)
		case *database != "" && orders == 0:
			err = errors.New("-database: want the number of its orders in -postgres")
		case orders > 0:
			err = fill(ctx, os.Stdout, *database, orders)
		case *measures:
			err = measure(os.Stdout, *seconds)
		default:
			fmt.Print(tables(*lang))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "scale:", err)
			return 1
		}
		return 0
	})
}
