package wechattest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	digits    = "0123456789"
	hexDigits = "0123456789abcdef"
	alnum     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base64url = alnum + "-_"
)

// beijing is the zone of every time in APIv2: UTC+8, no daylight saving.
var beijing = time.FixedZone("CST", 8*3600)

// payTime is the layout yyyyMMddHHmmss of APIv2.
const payTime = "20060102150405"

// ids makes the random values of a simulator from its seed.
type ids struct {
	mu sync.Mutex
	r  *rand.Rand
}

// newIDs starts a sequence. The people depend on the seed alone, so that a restarted simulator has
// the same. Transactions, codes and variations depend on the epoch too. So no transaction_id is
// repeated.
func newIDs(seed int64, epoch time.Time) *ids {
	return &ids{r: rand.New(rand.NewPCG(uint64(seed), uint64(epoch.UnixNano())))}
}

// text returns n characters of the alphabet.
func (s *ids) text(alphabet string, n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[s.r.IntN(len(alphabet))]
	}
	return string(b)
}

// intn returns a number below n.
func (s *ids) intn(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.IntN(n)
}

// shuffle reorders n elements.
func (s *ids) shuffle(n int, swap func(i, j int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.Shuffle(n, swap)
}

// nonce is a nonce_str: 32 letters and digits at most.
func (s *ids) nonce() string { return s.text(alnum, 32) }

// rid is the request id that the sns hosts append to errmsg.
func (s *ids) rid() string {
	return fmt.Sprintf("%s-%s-%s", s.text(hexDigits, 8), s.text(hexDigits, 8), s.text(hexDigits, 8))
}

// prepayID looks like wx201410272009395522657a690389285100: 36 characters.
func (s *ids) prepayID(now time.Time) string {
	return "wx" + now.In(beijing).Format(payTime) + s.text(hexDigits, 18) + "00"
}

// transactionID has 28 digits: the product, the Beijing day, a number.
func (s *ids) transactionID(now time.Time) string {
	return "4200" + s.text(digits, 6) + now.In(beijing).Format("20060102") + s.text(digits, 10)
}

// refundID has 29 digits and begins with 50, as WeChat's do.
func (s *ids) refundID(now time.Time) string {
	return "50" + s.text(digits, 8) + now.In(beijing).Format("20060102") + s.text(digits, 11)
}
