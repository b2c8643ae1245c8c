package main

import (
	"strconv"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/fen"
)

// Sizes of a chart, in the units of its view box.
const (
	chartWidth, chartHeight = 720, 200
	chartLeft, chartBottom  = 4, 34
)

// chart draws the payments of each interval as bars, with the refunds in front of them. A
// table below has the figures, for readers who cannot see the chart.
func (s *base) chart(id string, name text, sums []sum) app.UI {
	var most, total fen.Fen
	for _, one := range sums {
		most, total = max(most, one.paid, one.refunded), total+one.paid+one.refunded
	}
	if total == 0 {
		return elem("p").Class("none").Text(s.tr(textNoTakings))
	}
	const room = chartHeight - chartBottom - 34 // the greatest amount stands above the bars
	step := float64(chartWidth-2*chartLeft) / float64(len(sums))
	var bars, rows []app.UI
	bar := func(i int, kind string, amount fen.Fen, inset float64) {
		if amount == 0 {
			return
		}
		height := max(2, float64(amount)*room/float64(most))
		bars = append(bars, svg("rect").DataSet("bar", kind).Attr("x", number(chartLeft+float64(i)*step+inset)).Attr("y", number(chartHeight-chartBottom-height)).
			Attr("width", number(max(1, step-2*inset))).Attr("height", number(height)).Attr("rx", "2"))
	}
	every := (len(sums) + 5) / 6 // labels on the axis
	for i, one := range sums {
		bar(i, "paid", one.paid, step*.12)
		bar(i, "back", one.refunded, step*.3)
		if i%every == 0 {
			bars = append(bars, svg("text").Attr("x", number(choose(i == 0, 0, chartLeft+(float64(i)+.5)*step))).Attr("y", strconv.Itoa(chartHeight-6)).
				Attr("text-anchor", choose(i == 0, "start", "middle")).Text(short(one.label)))
		}
		if one.payments+one.refunds > 0 {
			rows = append(rows, elem("tr").Body(elem("th").Attr("scope", "row").Text(one.label),
				elem("td").Text(one.paid.String()), elem("td").Text(count(one.payments)), elem("td").Text(one.refunded.String()), elem("td").Text(count(one.refunds))))
		}
	}
	bars = append(bars,
		svg("line").Attr("x1", "0").Attr("x2", strconv.Itoa(chartWidth)).Attr("y1", number(chartHeight-chartBottom+.5)).Attr("y2", number(chartHeight-chartBottom+.5)),
		svg("text").Attr("x", strconv.Itoa(chartWidth-chartLeft)).Attr("y", "22").Attr("text-anchor", "end").Text("¥"+most.String()))
	head := func(t text) app.UI { return elem("th").Attr("scope", "col").Text(s.tr(t)) }
	return elem("div").Class("chart").ID("chart-"+id).Body(
		svg("svg").Attr("viewBox", "0 0 "+strconv.Itoa(chartWidth)+" "+strconv.Itoa(chartHeight)).Role("img").Aria("label", s.tr(name)).Body(bars...),
		elem("details").Body(
			elem("summary").Text(s.tr(textTable)),
			elem("table").Body(
				elem("thead").Body(elem("tr").Body(head(textTime), head(textPaid), head(textPaymentsMade), head(textRefunded), head(textRefundsMade))),
				elem("tbody").Body(rows...))))
}

// svg returns an element of a drawing. It must have no class, which go-app would set as className.
func svg(tag string) app.HTMLElem { return app.Elem(tag).XMLNS("http://www.w3.org/2000/svg") }

func number(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// short returns a day without its year.
func short(label string) string {
	if len(label) == len("2006-01-02") {
		return label[5:]
	}
	return label
}
