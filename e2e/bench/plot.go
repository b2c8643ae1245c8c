package main

import (
	"fmt"
	"strings"
)

// colours of the Workers, readable on white and on black.
var colours = map[string]string{"signer": "#07a35a", signerV3: "#0b7285", "stock": "#8a8f98", "javascript": "#d9930d"}

// plot draws CPU time and p50 of the flows, with eight connections and no delay, as horizontal
// bars.
func (r *results) plot() string {
	const width, left, bar, gap = 720, 190, 18, 4
	var b strings.Builder
	y := 0
	chart := func(title string, value func(figures) float64) {
		top := 0.0
		for _, flow := range flows {
			for _, name := range names {
				if !has(name, flow) {
					continue
				}
				top = max(top, value(r.figures(key{name, flow, setting{8, 0}})))
			}
		}
		y += 30
		fmt.Fprintf(&b, `<text x="0" y="%d" font-weight="bold">%s</text>`+"\n", y, title)
		y += 10
		for _, flow := range flows {
			for _, name := range names {
				if !has(name, flow) {
					continue
				}
				v := value(r.figures(key{name, flow, setting{8, 0}}))
				w := v / top * (width - left - 70)
				fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s, %s</text>`+"\n", left-8, y+bar-5, flow, name)
				fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, y, w, bar, colours[name])
				fmt.Fprintf(&b, `<text x="%.1f" y="%d">%.2f</text>`+"\n", left+w+6, y+bar-5, v)
				y += bar + gap
			}
			y += 8
		}
	}
	chart("CPU of each request, ms (8 connections)", func(f figures) float64 { return f.cpu })
	chart("p50, ms (8 connections)", func(f figures) float64 { return f.p50 })
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="#6b7280">`+"\n%s</svg>\n",
		width, y+8, width, y+8, b.String())
}
