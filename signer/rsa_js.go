//go:build !stock

package main

import (
	"context"
	"errors"

	"h5pay/signer/warm"
	"h5pay/wechat/apiv3"
)

// platformRSA gives APIv3 the RSA of workerd.
type platformRSA struct{ rsa warm.RSA }

var _ apiv3.RSA = platformRSA{}

func (p platformRSA) Signer(pkcs8 []byte) (apiv3.Signer, error) {
	s, err := p.rsa.Signer(pkcs8)
	return platformSigner{s}, err
}

func (p platformRSA) Verifier(spki []byte) (apiv3.Verifier, error) { return p.rsa.Verifier(spki) }

type platformSigner struct{ signer *warm.Signer }

func (p platformSigner) Sign(ctx context.Context, message []byte) ([]byte, error) {
	signature, err := p.signer.Sign(ctx, message)
	if errors.Is(err, warm.ErrKeyRejected) {
		err = apiv3.ErrKey
	}
	return signature, err
}
