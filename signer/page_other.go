//go:build !js

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"h5pay"
)

// noPage is what a program without the page says.
const noPage = "this program was built without the page: build it with `make binary`"

// siteFiles returns the files that the server serves: the page's, and those of FILES_DIR.
func siteFiles(getenv func(string) string, log *slog.Logger) (fs.FS, error) {
	page, complete := h5pay.Page()
	if !complete {
		log.Warn(noPage)
	}
	page, err := nameShop(page, getenv("SHOP_NAME"))
	if err != nil {
		return nil, fmt.Errorf("preparing the page: %w", err)
	}
	dir := getenv(filesSetting)
	if dir == "" {
		return page, nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, &settingError{filesSetting, "must name a folder that this user can read"}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", filesSetting, err)
	}
	return layers{page, root.FS()}, nil
}

// nameShop returns the page with the shop's name in place of h5pay.PageName.
func nameShop(page fs.FS, name string) (fs.FS, error) {
	inJSON, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	quoted := strconv.Quote(h5pay.PageName)
	inPage := strings.NewReplacer(
		html.EscapeString(quoted), html.EscapeString(string(inJSON)), // JSON in an attribute
		h5pay.PageName, html.EscapeString(name))
	inManifest := strings.NewReplacer(quoted, string(inJSON))
	named := memoryFiles{}
	for pattern, replacer := range map[string]*strings.Replacer{"*.html": inPage, "*.webmanifest": inManifest} {
		files, err := fs.Glob(page, pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := fs.ReadFile(page, file)
			if err != nil {
				return nil, err
			}
			named[file] = []byte(replacer.Replace(string(text)))
		}
	}
	return layers{named, page}, nil
}

// layers finds a file in the first file system that has it. A folder is no file.
type layers []fs.FS

func (l layers) Open(name string) (fs.File, error) {
	err := error(fs.ErrNotExist)
	for _, files := range l {
		if info, statErr := fs.Stat(files, name); statErr == nil && !info.IsDir() {
			return files.Open(name)
		} else if statErr != nil && !errors.Is(statErr, fs.ErrNotExist) {
			err = statErr
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: err}
}
