package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"
)

// tableExport is a table that the user saves. It is read in parts, which the browser keeps.
// Neither the signer nor this program has all of it in memory.
type tableExport struct {
	name string // of the table that is being read, "" for none
	rows int
	stop context.CancelFunc
}

// exports offers tables by name, each at /v1/tables/NAME with a query.
func (s *base) exports(t *tableExport, tables map[string]text, query []string) app.UI {
	if t.name != "" {
		return elem("p").Class("exports").Role("status").Body(
			elem("span").DataSet("exporting", t.name).Text(count(t.rows)+" "+s.tr(textRows)),
			elem("button").Class("weui-btn weui-btn_mini weui-btn_default").Attr("type", "button").Text(s.tr(textStop)).
				OnClick(func(app.Context, app.Event) { t.stop() }, "stop"))
	}
	var buttons []app.UI
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		buttons = append(buttons, s.mini(tables[name], func(ctx app.Context) { s.export(ctx, t, name, query) }, name))
	}
	return elem("p").Class("exports").Body(buttons...)
}

func (s *base) export(page app.Context, t *tableExport, name string, query []string) {
	ctx, stop := context.WithCancel(s.ctx)
	*t = tableExport{name: name, stop: stop}
	s.said = ""
	file := name + "-" + fileDay() + ".csv"
	page.Async(func() {
		defer stop()
		err := s.readTable(ctx, page, t, name, file, query)
		stopped := ctx.Err() != nil
		page.Dispatch(func(app.Context) {
			*t = tableExport{}
			switch {
			case stopped:
				s.c.b.Drop(file)
				s.say(textStopped)
			case err != nil:
				s.c.b.Drop(file)
				s.sayError(err)
			default:
				s.c.b.Save(file)
				s.say(textExported)
			}
		})
	})
}

// readTable keeps the parts of a table in a file. The first line of a part is the cursor of the next
// one, and the second one the head.
func (s *base) readTable(ctx context.Context, page app.Context, t *tableExport, name, file string, query []string) error {
	s.c.b.Drop(file)
	for cursor, first := "", true; ; first = false {
		var part struct {
			Rows string
			N    int
			Next string
		}
		if err := call(ctx, s.c.b, "GET", address("/v1/tables/"+name, append(slices.Clone(query), "cursor", cursor)...), nil, &part, ""); err != nil {
			return err
		}
		text := part.Rows
		if !first {
			_, text, _ = strings.Cut(text, "\n")
		}
		s.c.b.Keep(file, text)
		page.Dispatch(func(app.Context) { t.rows += part.N })
		if cursor = part.Next; cursor == "" {
			return nil
		}
	}
}
