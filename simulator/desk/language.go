package desk

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// The languages of the page.
const (
	english = "en"
	chinese = "zh"
)

// stringsJSON has every text of the page in both languages, by key. The control API has the English
// texts of faults, places and calls, so their keys (fault., place., call.) are in Chinese only.
//
//go:embed strings.json
var stringsJSON []byte

// texts returns the texts of a language by their keys.
func texts(language string) map[string]string {
	var table map[string]map[string]string
	if err := json.Unmarshal(stringsJSON, &table); err != nil {
		panic("desk: strings.json: " + err.Error()) // embedded, and read by every test
	}
	chosen := map[string]string{}
	for key, languages := range table {
		if text, ok := languages[language]; ok {
			chosen[key] = text
		}
	}
	return chosen
}

// language chooses by an Accept-Language header: Chinese if it is preferred to English.
func language(header string) string {
	best, chosen := 0.0, english
	for part := range strings.SplitSeq(header, ",") {
		tag, parameter, _ := strings.Cut(part, ";")
		tag, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			weight, _ = strconv.ParseFloat(q, 64) // malformed: 0, so not chosen
		}
		if (tag == chinese || tag == english) && weight > best {
			best, chosen = weight, tag
		}
	}
	return chosen
}

// serveIndex serves the page in the browser's language.
func serveIndex(rw http.ResponseWriter, r *http.Request) {
	chosen := language(r.Header.Get("Accept-Language"))
	words := texts(chosen)
	source, err := webFiles.ReadFile("web/index.html")
	if err != nil {
		panic(err) // embedded
	}
	page := template.Must(template.New("index").Funcs(template.FuncMap{"t": func(key string) (string, error) {
		text, ok := words[key]
		if !ok {
			return "", fmt.Errorf("no text %q", key)
		}
		return text, nil
	}}).Parse(string(source)))
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-cache")
	rw.Header().Set("Vary", "Accept-Language")
	_ = page.Execute(rw, map[string]string{"Lang": chosen}) // the texts are tested; a browser may go away
}

// serveStrings serves the texts of the browser's language as a module.
func serveStrings(rw http.ResponseWriter, r *http.Request) {
	chosen := language(r.Header.Get("Accept-Language"))
	table, err := json.Marshal(texts(chosen))
	if err != nil {
		panic(err) // strings alone
	}
	rw.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-cache")
	rw.Header().Set("Vary", "Accept-Language")
	fmt.Fprintf(rw, "export const lang = %q;\nexport const strings = %s;\n", chosen, table)
}
