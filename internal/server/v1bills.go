package server

import (
	"context"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/v1"
)

// Bounds of the lists of bills.
const (
	listedBills       = 31
	listedDifferences = 100    // of each day in the list
	allDifferences    = 20_000 // of one day
)

func (b backend) listBills(ctx context.Context, _ *v1Call) (any, error) {
	checks, err := b.cfg.Store.BillChecks(ctx, "", listedBills, listedDifferences)
	if err != nil {
		return nil, err
	}
	list := v1.Bills{Bills: make([]v1.Bill, len(checks))}
	for i, check := range checks {
		list.Bills[i] = publicBill(check)
	}
	return list, nil
}

func (b backend) getBill(ctx context.Context, c *v1Call) (any, error) {
	date := c.PathValue("date")
	if _, err := cst.ParseDay(date); err != nil {
		return nil, wrongField("date", err.Error())
	}
	checks, err := b.cfg.Store.BillChecks(ctx, date, 1, allDifferences)
	if err != nil {
		return nil, err
	}
	if len(checks) == 0 {
		return nil, noSuch("bill: the day was not compared")
	}
	public := publicBill(checks[0])
	if checks[0].LeasedUntil > b.now().UnixMilli() {
		public.Running = &v1.BillProgress{Compared: checks[0].Compared, Rows: checks[0].RowsOfBill}
	}
	return public, nil
}

// stopBill stops the comparison of a day that is under way. If none is, nothing is changed.
func (b backend) stopBill(ctx context.Context, c *v1Call) (any, error) {
	if err := b.payment.StopBill(ctx, c.PathValue("date")); err != nil {
		return nil, err
	}
	bill, err := b.getBill(ctx, c)
	if public, ok := bill.(v1.Bill); ok && !c.by.has(v1.ScopeRead) {
		public.Differences = nil
		return public, err
	}
	return bill, err
}

// checkBill compares the bill of a day now, even if it was compared before.
func (b backend) checkBill(ctx context.Context, c *v1Call) (any, error) {
	check, err := b.payment.CheckBill(ctx, c.PathValue("date"))
	if err != nil {
		return nil, err
	}
	return publicBill(check), nil
}

func publicBill(c api.BillCheck) v1.Bill {
	public := v1.Bill{Date: c.Date, Status: v1.BillStatus(c.Status), CheckedAt: c.CheckedAt, Payments: c.Payments, Refunds: c.Refunds}
	for _, d := range c.Differences {
		public.Differences = append(public.Differences, v1.BillDifference{
			Kind: v1.DifferenceKind(d.Kind), OutTradeNo: d.OutTradeNo, OutRefundNo: d.OutRefundNo, Ours: d.Ours, Theirs: d.Theirs})
	}
	if c.CheckedAt == 0 {
		return public
	}
	trade := publicMoney(c.Trade)
	public.Trade, public.FundsPending = &trade, c.FundsPending
	if f := c.Funds; f != nil {
		public.Funds = &v1.BillFunds{BillMoney: publicMoney(f.BillMoney), Other: f.Other, Balance: f.Balance}
		public.FundsDifference = public.Funds.Settlement - trade.Settlement
	}
	return public
}

func publicMoney(m api.BillMoney) v1.BillMoney {
	return v1.BillMoney{Income: m.Income, Refunded: m.Refunded, Fees: m.Fees, Settlement: m.Settlement()}
}
