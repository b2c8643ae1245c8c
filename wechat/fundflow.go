package wechat

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"h5pay/internal/fen"
)

// FundFlow has the sums of a day's fund-flow bill (docs/wechat.md 18.17): what moved on the
// merchant's basic account.
type FundFlow struct {
	Rows     int
	Payments Fen // received for orders
	Refunds  Fen // returned to payers
	Fees     Fen // paid to WeChat, less what WeChat returned with refunds
	Other    Fen // all other movements, like withdrawals (negative) and deposits
	Balance  Fen // of the account after the last movement; 0 without a movement
}

// Settlement is what the payments of the day brought the merchant: without refunds and fees.
func (f FundFlow) Settlement() Fen { return f.Payments - f.Refunds - f.Fees }

// The columns of a fund-flow bill that are read, under WeChat's names.
const (
	flowName = iota
	flowDirection
	flowAmount
	flowBalance
	flowRemark
)

const (
	flowNames    = "业务名称,收支类型,收支金额(元),账户结余(元),备注"
	flowSumNames = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
)

// Bounds of a fund-flow bill.
const (
	maxFlowLine = 16 << 10 // bytes
	maxFlowRows = 1 << 20
	maxFlowSum  = Fen(1) << 53
)

// ReadFundFlow reads a fund-flow bill, which FundFlowBill returns, to its end. It keeps one line
// in memory. A bill is rejected if the numbers of rows or the totals differ from the rows. A
// failed read returns the error of r.
func ReadFundFlow(r io.Reader) (FundFlow, error) {
	f := flowReader{lines: bufio.NewReaderSize(r, maxFlowLine)}
	problem, err := f.read()
	if problem == "" && err == nil {
		return f.flow, nil
	}
	if err == nil {
		// The rest of the bill tells whether it is WeChat's: its hash is known at its end.
		if _, err = io.Copy(io.Discard, f.lines); err == nil {
			err = &Error{Op: opV3 + opFundFlow, Message: "line " + strconv.Itoa(f.line) + " of the bill: " + problem, Kind: Untrusted}
		}
	}
	return FundFlow{}, err
}

// flowReader reads a fund-flow bill line by line.
type flowReader struct {
	lines *bufio.Reader
	line  int
	flow  FundFlow

	// The totals of the rows.
	in, out           Fen
	countIn, countOut int
}

// next returns the next line. done means that nothing is left.
func (f *flowReader) next() (text string, done bool, problem string, err error) {
	b, err := f.lines.ReadSlice('\n')
	f.line++
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", false, "longer than 16 KiB", nil
	case errors.Is(err, io.EOF):
		done, err = len(b) == 0, nil
	case err != nil:
		return "", false, "", err
	}
	if !utf8.Valid(b) {
		return "", false, "not UTF-8", nil
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), done, "", nil
}

func (f *flowReader) read() (problem string, err error) {
	head, _, problem, err := f.next()
	if problem != "" || err != nil {
		return problem, err
	}
	at, width, ok := findColumns(strings.TrimPrefix(head, string(bom)), flowNames)
	if !ok {
		return "a column is missing, or there twice", nil
	}
	var cells []string
	var text string
	for {
		if text, _, problem, err = f.next(); problem != "" || err != nil {
			return problem, err
		}
		if !strings.HasPrefix(text, "`") {
			break
		}
		if cells, ok = splitRow(cells, text, width, at[flowRemark]); !ok {
			return "other cells than columns", nil
		}
		if problem = f.add(cells, at); problem != "" {
			return problem, nil
		}
	}
	at, width, ok = findColumns(text, flowSumNames)
	if !ok {
		return "not the names of the totals", nil
	}
	if text, _, problem, err = f.next(); problem != "" || err != nil {
		return problem, err
	}
	if cells, ok = splitRow(cells, text, width, width); !ok {
		return "not the totals", nil
	}
	// The numbers may have decimals too, "20.0", as if they were amounts.
	for i, want := range []Fen{Fen(f.flow.Rows) * 100, Fen(f.countIn) * 100, f.in, Fen(f.countOut) * 100, f.out} {
		if got, ok := fen.ParseYuan(cells[at[i]]); !ok || got != want {
			return "the rows come to another total", nil
		}
	}
	for done := false; !done; {
		if text, done, problem, err = f.next(); problem != "" || err != nil {
			return problem, err
		}
		if strings.TrimSpace(text) != "" {
			return "something after the totals", nil
		}
	}
	return "", nil
}

// add adds a row to the sums.
func (f *flowReader) add(cells []string, at []int) (problem string) {
	amount, ok := fen.ParseYuan(cells[at[flowAmount]])
	if !ok {
		return "收支金额(元): want a number of yuan"
	}
	balance, negative := strings.CutPrefix(cells[at[flowBalance]], "-")
	if f.flow.Balance, ok = fen.ParseYuan(balance); !ok {
		return "账户结余(元): want a number of yuan"
	}
	if negative {
		f.flow.Balance = -f.flow.Balance
	}
	signed := amount
	switch cells[at[flowDirection]] {
	case "收入":
		f.in, f.countIn = f.in+amount, f.countIn+1
	case "支出":
		f.out, f.countOut, signed = f.out+amount, f.countOut+1, -amount
	default:
		return "收支类型: want 收入 or 支出"
	}
	switch name := cells[at[flowName]]; {
	case strings.Contains(name, "手续费"):
		f.flow.Fees -= signed
	case strings.Contains(name, "退款"):
		f.flow.Refunds -= signed
	case name == "交易":
		f.flow.Payments += signed
	default:
		f.flow.Other += signed
	}
	if f.flow.Rows++; f.flow.Rows > maxFlowRows || f.in > maxFlowSum || f.out > maxFlowSum {
		return "more than a bill can have"
	}
	return ""
}
