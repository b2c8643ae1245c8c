package startpage_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/startpage"
)

const page = `<head><!--data--><!--/data--></head><template><!--rows-en--><ul>outlines</ul><!--/rows-en--></template><!--rows-zh--><ul>outlines</ul><!--/rows-zh--><footer>`

// data returns the catalogue that a page has for the program.
func data(t *testing.T, page string) (c api.Catalogue) {
	t.Helper()
	_, text, _ := strings.Cut(page, `<script type="application/json" id="data">`)
	text, _, ok := strings.Cut(text, "</script>")
	if !ok {
		t.Fatalf("no data in %s", page)
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return c
}

func fill(t *testing.T, c api.Catalogue) string {
	t.Helper()
	parts, err := startpage.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(startpage.Fill([]byte(page), parts))
}

func TestPageHasTheCatalogue(t *testing.T) {
	t.Parallel()
	c := api.Catalogue{Config: api.Config{ShopName: "茶", TradeTypes: []api.TradeType{api.TradeJSAPI}}, Products: []api.Product{
		{ID: "tea", Name: "乌龙茶", Detail: "50 克", Image: "/web/tea.svg", Price: 6805},
		{ID: "tip", Name: "h5pay-detail", Amount: &api.AmountBounds{Min: 100, Max: 20000}},
	}}
	got := fill(t, c)
	if diff := cmp.Diff(c, data(t, got)); diff != "" {
		t.Errorf("the data of the program (-want +got):\n%s", diff)
	}
	english, chinese, _ := strings.Cut(got, "</template>")
	for text, where := range map[string]string{
		`aria-label="68.05 yuan"`: english, `aria-label="68.05 元"`: chinese, "Enter an amount": english, "输入金额": chinese,
		`data-product="tea"`: english, `src="/web/tea.svg"`: chinese, `<h2>h5pay-detail</h2><p></p>`: chinese,
		`href="/amount?product=tip"`: chinese, "1.00": english, "200.00": chinese, `<footer>`: chinese,
	} {
		if !strings.Contains(where, text) {
			t.Errorf("no %s in %s", text, where)
		}
	}
	for _, text := range []string{"outlines", "h5pay-id", "h5pay-name", "h5pay-image", "111111", "222222", "333333", "<!--"} {
		if strings.Contains(got, text) {
			t.Errorf("the page has %s: %s", text, got)
		}
	}
	// Nothing can be tapped before the program runs.
	if buttons := strings.Count(chinese, "<button"); buttons == 0 || strings.Count(chinese, " disabled") != buttons {
		t.Errorf("a button can be tapped in %s", chinese)
	}
}

// A product cannot add elements or attributes to the page, wherever its text is.
func TestTextsOfProductsAreEscaped(t *testing.T) {
	t.Parallel()
	const evil = `</script><!--/data--><img src=x onerror="alert('1')">&amp;`
	got := fill(t, api.Catalogue{Products: []api.Product{{ID: evil, Name: evil, Detail: evil, Image: evil, Price: 1}}})
	if c := data(t, got); c.Products[0].Name != evil || c.Products[0].Image != evil {
		t.Errorf("the program gets %+v", c)
	}
	if n := strings.Count(got, "<img"); n != 2 || strings.Contains(got, `onerror="`) || strings.Contains(got, "<!--") || strings.Count(got, "</script>") != 1 {
		t.Errorf("%d pictures in %s", n, got)
	}
}

// A page without products, and one without marks, stays as it is.
func TestPageStaysAsItIs(t *testing.T) {
	t.Parallel()
	if got := fill(t, api.Catalogue{}); got != page {
		t.Errorf("without products: %s", got)
	}
	parts, err := startpage.New(api.Catalogue{Products: startpage.Sample})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"<html>", "<!--data-->", "<!--/rows-zh--><!--rows-zh-->"} {
		if got := startpage.Fill([]byte(text), parts); string(got) != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}

// A large catalogue does not make a large page: the program shows the rest.
func TestRowsAreBounded(t *testing.T) {
	t.Parallel()
	var c api.Catalogue
	for i := range startpage.MaxRows + 5 {
		c.Products = append(c.Products, api.Product{ID: fmt.Sprint("p", i), Name: "x", Price: 1})
	}
	got := fill(t, c)
	if n := strings.Count(got, `<li class="card"`); n != 2*startpage.MaxRows || len(data(t, got).Products) != len(c.Products) {
		t.Errorf("%d rows in two languages", n)
	}
}
