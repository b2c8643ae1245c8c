package main

import (
	"h5pay/internal/cause"
	"h5pay/internal/v1"
)

// repairs are the screens on which the operator repairs the result of a check.
var repairs = map[string]string{
	"outbox": "/console/events?status=dead", "orders": "/console/orders?status=open", "refunds": "/console/orders?status=refunding",
	"bills": "/console/bills", "catalogue": "/console/products", "selling": "/console/more",
}

func checkName(id string) text {
	for _, t := range cause.Titles() {
		if string(t.Check) == id {
			return text{t.ZH, t.EN}
		}
	}
	return text{id, id}
}

// problem returns the explanation of a check's result.
func (s *base) problem(c v1.CheckResult) string {
	if row, ok := cause.Explain(cause.ID(c.Cause), c.Setting); ok {
		return s.tr(text{row.ZH.Problem, row.EN.Problem})
	}
	return c.Detail
}
