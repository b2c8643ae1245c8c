package wechat

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const (
	flowHead = "\ufeff记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n"
	flowSums = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n"
)

func flowRow(name, direction, amount, balance, remark string) string {
	return "`2026-03-01 07:30:15,`4200000000202603010000000001,`1900009231201802015884652186,`" + name + ",`" + name + ",`" + direction +
		",`" + amount + ",`" + balance + ",`system,`" + remark + ",`no\r\n"
}

// goodFlow has a movement of each sort. A remark may have commas and backticks.
var goodFlow = flowHead +
	flowRow("交易", "收入", "8.80", "108.80", "a, b,`9999.99,`") +
	flowRow("扣除交易手续费", "支出", "0.05", "108.75", "") +
	flowRow("退款", "支出", "3.00", "105.75", "缺货") +
	flowRow("退还交易手续费", "收入", "0.02", "105.77", "") +
	flowRow("提现", "支出", "106.00", "-0.23", "") +
	flowSums + "`5.0,`2.0,`8.82,`3.0,`109.05\r\n"

func TestReadFundFlow(t *testing.T) {
	want := FundFlow{Rows: 5, Payments: 880, Refunds: 300, Fees: 3, Other: -10600, Balance: -23}
	for name, text := range map[string]string{
		"as published":        goodFlow,
		"with LF":             strings.ReplaceAll(goodFlow, "\r\n", "\n"),
		"without a last line": strings.TrimSuffix(goodFlow, "\r\n"),
		"without a mark":      strings.TrimPrefix(goodFlow, "\ufeff"),
	} {
		got, err := ReadFundFlow(iotest.OneByteReader(strings.NewReader(text)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" || got.Settlement() != 577 {
			t.Errorf("%s: settlement %d (-want +got):\n%s", name, got.Settlement(), diff)
		}
	}
}

func TestBadFundFlows(t *testing.T) {
	changed := func(old, new string) string {
		if !strings.Contains(goodFlow, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(goodFlow, old, new, 1)
	}
	for name, text := range map[string]string{
		"nothing":          "",
		"a page":           "<html>",
		"no amount":        changed("收支金额(元)", "金额"),
		"a column twice":   changed("备注", "业务名称"),
		"a cell less":      changed("`108.75,`system", "`108.75"),
		"a sign":           changed("`0.05", "`-0.05"),
		"part of a fen":    changed("`0.05", "`0.051"),
		"no balance":       changed("`108.75", "`"),
		"neither way":      changed("`支出", "`转出"),
		"another amount":   changed("`8.80", "`8.81"),
		"another number":   changed("`5.0", "`4.0"),
		"one more in":      changed("`2.0", "`3.0"),
		"a row less":       changed(flowRow("提现", "支出", "106.00", "-0.23", ""), ""),
		"no totals":        goodFlow[:strings.Index(goodFlow, "资金流水总笔数")],
		"names of them":    goodFlow[:strings.Index(goodFlow, "`5.0")],
		"more behind them": goodFlow + "x",
		"not UTF-8":        changed("缺货", "\xff"),
		"a long line":      changed("缺货", strings.Repeat("x", maxFlowLine)),
	} {
		flow, err := ReadFundFlow(strings.NewReader(text))
		wantError(t, err, Untrusted, "")
		if flow != (FundFlow{}) {
			t.Errorf("%s: %+v", name, flow)
		}
	}
}

// The error of the reader counts, also where the text is wrong before it: the reader knows
// whether the bill is WeChat's.
func TestFundFlowThatBreaksOff(t *testing.T) {
	lost := errors.New("the bill has another hash")
	for _, text := range []string{goodFlow, goodFlow[:300], "<html>", ""} {
		if flow, err := ReadFundFlow(io.MultiReader(strings.NewReader(text), iotest.ErrReader(lost))); !errors.Is(err, lost) || flow != (FundFlow{}) {
			t.Errorf("%+v, %v", flow, err)
		}
	}
}

func TestFeeInFen(t *testing.T) {
	for fee, want := range map[Fee]Fen{0: 0, 499: 0, 500: 1, 5000: 5, 5499: 5, -499: 0, -500: -1, -2000: -2} {
		if got := fee.Fen(); got != want {
			t.Errorf("%d: %d, want %d", fee, got, want)
		}
	}
}
