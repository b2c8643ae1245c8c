package server

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/wechat"
)

// A state is a text that WeChat returns unchanged with the code: letters and digits, 128
// bytes at most. It holds
//
//	32 random letters and digits
//	 1 digit: the number of the attempt, in a row of attempts
//	 7 letters and digits: when it was made, in seconds, base 36
//	32 hex digits: a MAC over all of that
//
// The cookie binds a sign-in to the browser that began it. The number of the attempt is
// in the state too: a client that loses the cookie would otherwise go to WeChat and back
// without end.
const (
	stateNonce  = 32
	stateTime   = 7
	stateSigned = stateNonce + 1 + stateTime
	stateMAC    = 32
	stateLength = stateSigned + stateMAC

	// maxState is the longest state that WeChat returns, in bytes.
	maxState = 128

	// maxAttempts is how many attempts to sign in may follow each other.
	maxAttempts = 2
)

// stateSigner makes states and reads the number of the attempt in them.
type stateSigner struct {
	key, former []byte // former is nil when there is no SessionKeyOld
	rand        io.Reader
	now         func() time.Time
}

func newStateSigner(cfg Config, appID string) (stateSigner, error) {
	s := stateSigner{rand: cfg.Rand, now: cfg.Now}
	var err error
	if s.key, err = stateKey(cfg.SessionKey, appID); err != nil {
		return stateSigner{}, err
	}
	if cfg.SessionKeyOld != "" {
		s.former, err = stateKey(cfg.SessionKeyOld, appID)
	}
	return s, err
}

func stateKey(secret wechat.Secret, appID string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "h5pay state "+appID, 32)
	if err != nil {
		return nil, fmt.Errorf("making the key of states: %w", err)
	}
	return key, nil
}

// make returns the state of an attempt, 1 to 9.
func (s stateSigner) make(attempt int) (string, error) {
	nonce, err := alphabet.Alphanumeric.Random(s.rand, stateNonce)
	if err != nil {
		return "", err
	}
	seconds := strconv.FormatInt(s.now().Unix(), 36)
	signed := nonce + strconv.Itoa(attempt) + strings.Repeat("0", max(0, stateTime-len(seconds))) + seconds
	return signed + stateSum(s.key, signed), nil
}

// ends returns a time after which no cookie has a state of make: the cookie is made within the next
// minute and lives as long as the state. It is the same in every call with the state.
func (s stateSigner) ends(state string) time.Time {
	if len(state) != stateLength {
		return time.Unix(0, 0)
	}
	seconds, err := strconv.ParseInt(state[stateNonce+1:stateSigned], 36, 64)
	if err != nil {
		return time.Unix(0, 0)
	}
	return time.Unix(seconds, 0).Add(stateLife + time.Minute)
}

// attempt returns the number of a state's attempt. A state that was not made here in the
// last ten minutes has number 1.
func (s stateSigner) attempt(state string) int {
	if len(state) != stateLength {
		return 1
	}
	signed, sum := state[:stateSigned], state[stateSigned:]
	if !hmac.Equal([]byte(sum), []byte(stateSum(s.key, signed))) &&
		(s.former == nil || !hmac.Equal([]byte(sum), []byte(stateSum(s.former, signed)))) {
		return 1
	}
	seconds, err := strconv.ParseInt(signed[stateNonce+1:], 36, 64)
	if age := s.now().Sub(time.Unix(seconds, 0)); err != nil || age < 0 || age > stateLife {
		return 1
	}
	return int(signed[stateNonce] - '0')
}

func stateSum(key []byte, signed string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return hex.EncodeToString(mac.Sum(nil)[:stateMAC/2])
}

// validState accepts what WeChat can return as a state.
func validState(state string) bool {
	return alphabet.Alphanumeric.Valid(state, 1, maxState)
}
