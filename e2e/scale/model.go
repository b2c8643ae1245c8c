package main

import (
	"fmt"
	"math"
	"strings"
)

// What a paid order uses, from the first call to the delivery of its event. The buyer waits for the
// calls that make the order and get its payment parameters. Times are ms.
const (
	// Measured: TestRoundTripsAndRows has the round trips to D1 of each call.
	tripsOfOrder = 14
	tripsOfBuyer = 3
	// Measured: docs/benchmarks.md has the CPU of the signer's Worker, with one connection.
	workerCPU      = 20
	workerCPUBuyer = 11
	// Assumed: the native signer needs 2 ms of CPU for an order, half of it while the buyer waits.
	nativeCPU      = 2
	nativeCPUBuyer = 1
	// Measured: docs/deploy.md has the orders of guests a second of both databases on two processors,
	// eight at once. All of them change one row, so they run one after the other.
	sqliteOrder   = 1000.0 / 216
	postgresOrder = 1000.0 / 203
	// The buyer waits for 3 of the 7 statements that write.
	buyersStatements = 3.0 / 7

	// Assumed: a statement at D1 takes 1 ms, and D1 is 5 ms away from the Worker.
	d1Statement = 1
	d1Network   = 5
	// Assumed: WeChat Pay answers in 200 ms. A paid order calls it twice, and the buyer waits once.
	weChat, weChatBuyer = 400, 200
	// Assumed: PostgreSQL is 0.5 ms away from its nodes, and a distributed engine takes 5 ms to commit.
	postgresNetwork = 0.5
	commit          = 5
	// A guest's order changes the count of open guest orders twice: when it begins and when it ends.
	changesOfTheCount = 2

	// Measured: docs/limits.md. A paid order takes 2.5 KB in SQLite and D1.
	d1Orders = 4_000_000 // in D1's 10 GB
	// Computed in docs/limits.md: of a longer bill the comparison fails.
	workerBill, nativeBill = 12_000, 25_000 // payments a day
	// Computed in docs/limits.md: one in twenty orders is not paid, and the timer of a Worker queries
	// 75,000 of those a day.
	workerTimer = 75_000 * 20

	// The busiest second of a day has this many times the orders of an average second.
	peak = 5
)

// loads are the orders a day of the tables: 1, 10, 100 and 1,000 times the first.
var loads = []float64{10_000, 100_000, 1_000_000, 10_000_000}

// text is in English and in Chinese.
type text struct{ en, zh string }

func (t text) in(lang string) string {
	if lang == "zh" {
		return t.zh
	}
	return t.en
}

// limit is a wall besides a part that is full.
type limit struct {
	what   text
	perDay float64 // orders
}

// deployment is a way to run a shop.
type deployment struct {
	name text
	// share is the part of all orders that go to the busiest database.
	share  float64
	parts  []part
	limits []limit
}

var (
	bill     = text{"the daily bill is too long to compare", "每日账单太长，无法核对"}
	timer    = text{"the timer falls behind with orders that are not paid", "定时任务来不及查询未付款的订单"}
	fullYear = text{"D1's 10 GB are full within a year", "D1 的 10 GB 一年内写满"}
	// full is the wall of a part.
	full = map[string]text{
		"D1":        {"D1's one thread", "D1 的单线程"},
		"database":  {"the database's writer", "数据库的写入"},
		"signer":    {"the signer's processors", "signer 的处理器"},
		"the count": {"the count of open guest orders, one row", "未付款访客订单的计数（一行）"},
	}
)

// deployments are those that docs/scale.md compares.
var deployments = []deployment{
	{text{"one D1", "一个 D1"}, 1, onD1(), []limit{{bill, workerBill}, {timer, workerTimer}, {fullYear, d1Orders / 365.0}}},
	{text{"a D1 for each of 100 shops, the largest has a tenth of the orders", "100 家店各用一个 D1，最大的占十分之一"}, 0.1, onD1(),
		[]limit{{bill, workerBill / 0.1}, {timer, workerTimer / 0.1}, {fullYear, d1Orders / 365.0 / 0.1}}},
	{text{"16 D1 of one shop, by owner (not built)", "一家店按顾客分到 16 个 D1（没有实现）"}, 1.0 / 16, onD1(),
		[]limit{{bill, workerBill}, {timer, workerTimer * 16}, {fullYear, d1Orders / 365.0 * 16}}},
	{text{"one server, SQLite, 2 processors", "一台服务器，SQLite，2 核"}, 1, native(sqliteOrder, 0), []limit{{bill, nativeBill}}},
	{text{"PostgreSQL, 2 processors", "PostgreSQL，2 核"}, 1, native(postgresOrder, postgresNetwork), []limit{{bill, nativeBill}}},
	{text{"a distributed engine, guests (not tried)", "分布式数据库，访客（没有试过）"}, 1, distributed(changesOfTheCount * commit), []limit{{bill, nativeBill}}},
	{text{"a distributed engine, signed in (not tried)", "分布式数据库，登录的顾客（没有试过）"}, 1, distributed(0), []limit{{bill, nativeBill}}},
}

func onD1() []part {
	return []part{
		{"D1", 1, tripsOfOrder * d1Statement, tripsOfBuyer * d1Statement},
		{"network", 0, tripsOfOrder * d1Network, tripsOfBuyer * d1Network},
		{"Worker", 0, workerCPU, workerCPUBuyer}, // Cloudflare starts as many as there are calls
		{"WeChat", 0, weChat, weChatBuyer},
	}
}

func native(order, network float64) []part {
	return []part{
		{"database", 1, order, order * buyersStatements},
		{"network", 0, 7 * network, 3 * network},
		{"signer", 2, nativeCPU, nativeCPUBuyer},
		{"WeChat", 0, weChat, weChatBuyer},
	}
}

// distributed is an engine that has as many machines as it needs, with a node of the signer on each.
func distributed(count float64) []part {
	return []part{
		{"the count", 1, count, count / 2},
		{"commits", 0, 7*commit - count, 3*commit - count/2},
		{"signer", math.MaxInt16, nativeCPU, nativeCPUBuyer},
		{"WeChat", 0, weChat, weChatBuyer},
	}
}

// perSecond returns the orders of the busiest second at the busiest database.
func (d deployment) perSecond(perDay float64) float64 { return perDay / 86400 * peak * d.share }

// first returns the first wall, and at how many orders a day it is.
func (d deployment) first() (text, float64) {
	p, rate := wall(d.parts)
	what, at := full[p.name], rate/peak*86400/d.share
	for _, l := range d.limits {
		if l.perDay < at {
			what, at = l.what, l.perDay
		}
	}
	return what, at
}

// tables returns the tables of docs/scale.md that the model computes, in en or zh.
func tables(lang string) string {
	var b strings.Builder
	pick := func(en, zh string) string { return text{en, zh}.in(lang) }
	fmt.Fprintln(&b, pick("| deployment | orders a second, at most | full first | first wall | from how many orders a day |", "| 部署 | 每秒最多订单 | 最先占满 | 第一堵墙 | 从每天多少订单起 |"))
	fmt.Fprintln(&b, "|---|--:|---|---|--:|")
	for _, d := range deployments {
		p, rate := wall(d.parts)
		what, at := d.first()
		most := number(rate / d.share)
		if p.servers == math.MaxInt16 {
			most, p.name = pick("grows with the machines", "随机器增加"), ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", d.name.in(lang), most, full[p.name].in(lang), what.in(lang), number(at))
	}
	fmt.Fprintln(&b)
	fmt.Fprint(&b, pick("| a buyer waits, ms |", "| 顾客等待，毫秒 |"))
	for _, perDay := range loads {
		fmt.Fprintf(&b, pick(" %s orders a day |", " 每天 %s 个订单 |"), number(perDay))
	}
	fmt.Fprintln(&b, "\n|---|"+strings.Repeat("--:|", len(loads)))
	for _, d := range deployments {
		fmt.Fprintf(&b, "| %s |", d.name.in(lang))
		for _, perDay := range loads {
			if ms, ok := wait(d.parts, d.perSecond(perDay)); ok {
				fmt.Fprintf(&b, " %.0f |", ms)
			} else {
				fmt.Fprint(&b, pick(" full |", " 占满 |"))
			}
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// number writes a number with two digits that count, such as 12,000.
func number(n float64) string {
	if n >= 10 {
		scale := math.Pow(10, math.Floor(math.Log10(n))-1)
		n = math.Round(n/scale) * scale
	}
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
