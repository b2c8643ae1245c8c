// Package startpage puts the catalogue into the start page before it is sent, so that the first
// paint has products and prices. The rows have the same HTML as those of the page's program:
// rows.txt is written from its components.
package startpage

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html"
	"strings"

	"h5pay/internal/api"
)

//go:generate go run ../../wasm -rows rows.txt

//go:embed rows.txt
var rowsFile string

// Rows returns rows.txt: for each kind of row, its name, a tab and its HTML. The test of package
// wasm compares it with the components.
func Rows() string { return rowsFile }

// Sample are the products of which the rows of rows.txt are made. New replaces their texts.
var Sample = []api.Product{
	{ID: "h5pay-id", Name: "h5pay-name", Detail: "h5pay-detail", Image: "/h5pay-image", Price: 11111111},
	{ID: "h5pay-id", Name: "h5pay-name", Detail: "h5pay-detail", Price: 11111111},
	{ID: "h5pay-id", Name: "h5pay-name", Detail: "h5pay-detail", Image: "/h5pay-image", Amount: &api.AmountBounds{Min: 22222222, Max: 33333333}},
	{ID: "h5pay-id", Name: "h5pay-name", Detail: "h5pay-detail", Amount: &api.AmountBounds{Min: 22222222, Max: 33333333}},
	{ID: "h5pay-id", Name: "h5pay-name", Detail: "h5pay-detail", Image: "/h5pay-image", Price: 11111111, Left: new(int)},
	{ID: "h5pay-id", Name: "h5pay-name", Detail: "h5pay-detail", Price: 11111111, Left: new(int)},
	{ID: "h5pay-id", Name: "h5pay-name", Detail: "h5pay-detail", Image: "/h5pay-image", Amount: &api.AmountBounds{Min: 22222222, Max: 33333333}, Left: new(int)},
	{ID: "h5pay-id", Name: "h5pay-name", Detail: "h5pay-detail", Amount: &api.AmountBounds{Min: 22222222, Max: 33333333}, Left: new(int)},
}

// Kind names the row of a product in a language, which is "zh" or "en".
func Kind(p api.Product, lang string) string {
	kind := "fixed"
	if p.Amount != nil {
		kind = "named"
	}
	if p.Image != "" {
		kind += "-picture"
	}
	if p.SoldOut() {
		kind += "-sold-out"
	}
	return kind + "-" + lang
}

// MaxRows is how many rows the page gets. The program shows the other products below them.
const MaxRows = 20

// The marks of the page. Each part replaces what is between <!--NAME--> and <!--/NAME-->.
const (
	MarkData = "data"
	MarkZH   = "rows-zh"
	MarkEN   = "rows-en"
)

// DataID is the id of the element with the data for the program, an api.Catalogue in JSON.
const DataID = "data"

// New returns the parts of the page for a catalogue. Without products there are none, and the page
// stays as it is: the program then makes its calls and shows what there is.
func New(c api.Catalogue) (api.StartPage, error) {
	if len(c.Products) == 0 {
		return api.StartPage{}, nil
	}
	data, err := json.Marshal(c) // escapes < and >
	if err != nil {
		return nil, err
	}
	return api.StartPage{
		MarkData: `<script type="application/json" id="` + DataID + `">` + string(data) + `</script>`,
		MarkZH:   list(c.Products, "zh"),
		MarkEN:   list(c.Products, "en"),
	}, nil
}

// fields are the texts of Sample, and the values of a product that take their places.
var fields = []struct {
	text string
	of   func(api.Product) string
}{
	{"h5pay-id", func(p api.Product) string { return html.EscapeString(p.ID) }},
	{"h5pay-name", func(p api.Product) string { return html.EscapeString(p.Name) }},
	{"h5pay-detail", func(p api.Product) string { return html.EscapeString(p.Detail) }},
	{"/h5pay-image", func(p api.Product) string { return html.EscapeString(p.Image) }},
	{"111111.11", func(p api.Product) string { return p.Price.String() }},
	{"222222.22", func(p api.Product) string { return p.Amount.Min.String() }},
	{"333333.33", func(p api.Product) string { return p.Amount.Max.String() }},
}

// list returns the list of the products in a language.
func list(products []api.Product, lang string) string {
	var b strings.Builder
	b.WriteString(`<ul class="cards">`)
	for _, p := range products[:min(len(products), MaxRows)] {
		writeRow(&b, row(Kind(p, lang)), p)
	}
	b.WriteString("</ul>")
	return b.String()
}

// writeRow writes a row with the values of a product. Values are not searched, so they cannot hold a
// text of Sample.
func writeRow(b *strings.Builder, row string, p api.Product) {
	for {
		at, field := len(row), -1
		for i, f := range fields {
			if n := strings.Index(row[:at], f.text); n >= 0 {
				at, field = n, i
			}
		}
		b.WriteString(row[:at])
		if field < 0 {
			return
		}
		b.WriteString(fields[field].of(p))
		row = row[at+len(fields[field].text):]
	}
}

// row returns the row of a kind, "" if there is none.
func row(kind string) string {
	_, rest, _ := strings.Cut(rowsFile, "\n"+kind+"\t")
	row, _, _ := strings.Cut(rest, "\n")
	return row
}

// Fill returns the page with the parts. Without a mark the page stays as it is there.
func Fill(page []byte, parts api.StartPage) []byte {
	for name, part := range parts {
		before, rest, ok := bytes.Cut(page, []byte("<!--"+name+"-->"))
		if !ok {
			continue
		}
		_, after, ok := bytes.Cut(rest, []byte("<!--/"+name+"-->"))
		if !ok {
			continue
		}
		page = bytes.Join([][]byte{before, after}, []byte(part))
	}
	return page
}
