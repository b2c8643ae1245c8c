// Package archive is the command h5pay archive. It writes the orders of a running shop that ended into
// files, month by month. Then it can delete those of more than a year ago from the shop.
package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/disk"
	"h5pay/internal/fen"
	"h5pay/internal/remote"
	"h5pay/internal/v1"
)

// Config configures an archive. All fields but Delete and Pause are required.
type Config struct {
	Shop   *remote.Shop
	Before time.Time // the orders that were made before it
	Dir    string    // the folder of the files; it exists
	Delete bool      // whether to delete the orders from the shop once their files are written
	Out    io.Writer
	Pause  time.Duration // before the second try of a call; doubles; 0 means two seconds
}

const (
	atOnce    = 8  // calls that read an order
	part      = 50 // orders that are read between two writes, or deleted by one call
	tries     = 6  // of a call that the shop does not answer
	monthForm = "2006-01"
)

// month are the orders of a month of Beijing that ended, the oldest first.
type month struct {
	name string // "2025-09"
	ids  []string
}

// Run writes the files and deletes the orders, from the oldest month on. A month is deleted after its
// files are on the disk. Run may be repeated: it overwrites no file.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Pause == 0 {
		cfg.Pause = 2 * time.Second
	}
	months, left, err := cfg.list(ctx)
	if err != nil {
		return err
	}
	if len(months) == 0 {
		fmt.Fprintf(cfg.Out, "no order from before %s has ended\n", cst.In(cfg.Before).Format(time.DateOnly))
	}
	for _, m := range months {
		if err := cfg.archive(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if left > 0 {
		fmt.Fprintf(cfg.Out, "not archived, because they have not ended: %d\n", left)
	}
	return nil
}

// list reads the list of the orders. left is the number of those that have not ended.
func (cfg Config) list(ctx context.Context) (months []month, left int, err error) {
	query := url.Values{"to": {strconv.FormatInt(cfg.Before.UnixMilli(), 10)}, "limit": {strconv.Itoa(part)}}
	for {
		var list v1.Orders
		if err := cfg.call(ctx, http.MethodGet, "/v1/orders?"+query.Encode(), nil, &list); err != nil {
			return nil, 0, err
		}
		for _, o := range list.Orders { // the newest first
			switch o.Status {
			case v1.OrderPaid, v1.OrderRefunded, v1.OrderClosed:
			default:
				left++
				continue
			}
			name := cst.In(time.UnixMilli(o.CreatedAt)).Format(monthForm)
			if len(months) == 0 || months[len(months)-1].name != name {
				months = append(months, month{name: name})
			}
			last := &months[len(months)-1]
			last.ids = append(last.ids, o.ID)
		}
		if list.Next == "" {
			break
		}
		query.Set("cursor", list.Next)
	}
	slices.Reverse(months)
	for _, m := range months {
		slices.Reverse(m.ids)
	}
	return months, left, nil
}

// archive writes the files of a month and deletes its orders.
func (cfg Config) archive(ctx context.Context, m month) error {
	f, err := create(cfg.Dir, m.name)
	if err != nil {
		return err
	}
	var sum, refunded fen.Fen
	written := make([]string, 0, len(m.ids))
	for ids := range slices.Chunk(m.ids, part) {
		orders, err := cfg.read(ctx, ids)
		if err != nil {
			return errors.Join(err, f.discard())
		}
		for i, text := range orders {
			if text == nil {
				continue
			}
			var o v1.Order
			if err := json.Unmarshal(text, &o); err != nil || o.ID != ids[i] {
				return errors.Join(fmt.Errorf("the shop's response about order %s is about another, or has another form: %w", ids[i], err), f.discard())
			}
			if err := f.write(o, text); err != nil {
				return errors.Join(err, f.discard())
			}
			written = append(written, o.ID)
			if o.Status != v1.OrderClosed {
				sum += o.Amount
			}
			refunded += o.Refunded
		}
	}
	if err := f.finish(); err != nil {
		return errors.Join(err, f.discard())
	}
	fmt.Fprintf(cfg.Out, "%s.jsonl and .csv: orders %d, paid %s yuan, refunded %s yuan\n", filepath.Base(f.name), len(written), sum, refunded)
	if !cfg.Delete {
		return nil
	}
	deleted, kept := 0, 0
	for ids := range slices.Chunk(written, part) {
		var result v1.OrdersDeleted
		if err := cfg.call(ctx, http.MethodPost, "/v1/orders/delete", v1.DeleteOrders{IDs: ids}, &result); err != nil {
			return err
		}
		deleted, kept = deleted+len(result.Deleted), kept+len(result.Kept)
	}
	fmt.Fprintf(cfg.Out, "%s: deleted from the shop %d, kept there %d\n", m.name, deleted, kept)
	return nil
}

// read reads whole orders, as the shop describes them. The result is nil for one that is gone.
func (cfg Config) read(ctx context.Context, ids []string) ([]json.RawMessage, error) {
	orders := make([]json.RawMessage, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, id := range ids {
		group.Go(func() error {
			err := cfg.call(ctx, http.MethodGet, "/v1/orders/"+url.PathEscape(id), nil, &orders[i])
			var rejected *v1.Error
			if errors.As(err, &rejected) && rejected.Code == api.CodeNotFound {
				orders[i] = nil
				return nil
			}
			return err
		})
	}
	return orders, group.Wait()
}

// call makes a call, several times if the shop does not answer. All calls may be repeated.
func (cfg Config) call(ctx context.Context, method, path string, body, result any) error {
	pause := cfg.Pause
	for try := 1; ; try++ {
		err := cfg.Shop.Call(ctx, method, path, body, result)
		var down *remote.Unavailable
		if !errors.As(err, &down) || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(pause, down.Wait)):
		}
		pause *= 2
	}
}

// files are the two files of a month: JSON lines and a table.
type files struct {
	name        string // without the ending
	lines, rows *os.File
	table       *table
}

// create makes the files of a month. It adds a number to the name if there are files of an earlier run.
// Only their owner can read them: they name payers.
func create(dir, month string) (*files, error) {
	for n := 1; ; n++ {
		f := &files{name: filepath.Join(dir, "orders-"+month)}
		if n > 1 {
			f.name += "-" + strconv.Itoa(n)
		}
		var err error
		if f.lines, err = os.OpenFile(f.name+".jsonl", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if f.rows, err = os.OpenFile(f.name+".csv", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			err = errors.Join(err, f.lines.Close(), os.Remove(f.name+".jsonl"))
			if errors.Is(err, os.ErrExist) {
				continue
			}
			return nil, err
		}
		f.table = newTable(f.rows)
		return f, nil
	}
}

// write writes an order to both files.
func (f *files) write(o v1.Order, text []byte) error {
	f.table.write(o)
	_, err := f.lines.Write(append(text, '\n'))
	return err
}

// finish waits until the files are on the disk.
func (f *files) finish() error {
	err := f.table.Flush()
	for _, file := range []*os.File{f.lines, f.rows} {
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err != nil {
		return err
	}
	return disk.Sync(filepath.Dir(f.name))
}

// discard removes files that are not complete.
func (f *files) discard() error {
	f.lines.Close()
	f.rows.Close()
	return errors.Join(os.Remove(f.name+".jsonl"), os.Remove(f.name+".csv"))
}
