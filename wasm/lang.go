package main

import "h5pay/wasm/ui"

// text is one sentence of the page in every language. All of them are in strings.go.
type text = ui.Text

// langOf returns the language that the user chose, else the browser's.
func langOf(b browser) ui.Lang { return ui.LangOf(b.Setting(ui.KeyLang), b.Language()) }
