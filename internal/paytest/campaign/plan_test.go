package campaign

import (
	"reflect"
	"testing"
	"time"
)

func TestSeedDecidesThePlan(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 7, Orders: 300, AtOnce: 6, API: "move", On: OnPostgres, Moves: []Move{{"a move", 0}, {"another one", time.Hour}}}
	a, b := NewPlan(o), NewPlan(o)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed made two plans")
	}
	o.Seed = 8
	if reflect.DeepEqual(a, NewPlan(o)) {
		t.Error("two seeds made one plan")
	}
}
