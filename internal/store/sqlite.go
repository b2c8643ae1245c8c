package store

import "strings"

// SQLiteURI returns the URI that opens a file with SQLite. options, such as
// "mode=ro", may be empty. In a URI the characters %, ? and # are not those of a path.
func SQLiteURI(file, options string) string {
	uri := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(file)
	if options != "" {
		uri += "?" + options
	}
	return uri
}
