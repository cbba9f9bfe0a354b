package auth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// passphraseTimeout bounds ssl_passphrase_command.
	passphraseTimeout = 60 * time.Second
	// passphrasePrompt is what %p stands for, OpenSSL's words.
	passphrasePrompt = "Enter PEM pass phrase:"
)

// loadKeyPair reads ssl_cert and ssl_key, which may be encrypted.
func loadKeyPair(ctx context.Context, f TLSFiles) (cert tls.Certificate, warnings []string, err error) {
	certText, err := os.ReadFile(f.Cert)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("read ssl_cert: %w", err)
	}
	warning, err := checkKeyFile(f.Key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	if warning != "" {
		warnings = append(warnings, warning)
	}
	keyText, err := os.ReadFile(f.Key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("read ssl_key: %w", err)
	}
	if keyText, err = decryptKey(ctx, keyText, f.PassphraseCommand); err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("ssl_key: %w", err)
	}
	cert, err = tls.X509KeyPair(certText, keyText)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("ssl_cert and ssl_key: %w", err)
	}
	if cert.Leaf == nil {
		cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0])
	}
	return cert, warnings, err
}

// checkKeyFile has PostgreSQL's rules for a private key: a regular file of ours with no
// access for others (0600), or of root with at most reading for the group (0640).
// Breaking them is a warning as in Pgpool-II, not an error as in PostgreSQL.
func checkKeyFile(path string) (warning string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read ssl_key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("ssl_key: %s is not a regular file", path)
	}
	forbidden := os.FileMode(0o077)
	owner, known := ownerOf(info)
	if known && owner == 0 && os.Geteuid() != 0 {
		forbidden = 0o027
	}
	switch {
	case known && owner != 0 && owner != os.Geteuid():
		return fmt.Sprintf("ssl_key: %s should belong to us or to root", path), nil
	case info.Mode().Perm()&forbidden != 0:
		return fmt.Sprintf("ssl_key: %s has group or world access; use mode 0600, or 0640 if root owns it", path), nil
	}
	return "", nil
}

func ownerOf(info os.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// decryptKey returns the PEM text with the first encrypted private key opened.
func decryptKey(ctx context.Context, text []byte, command string) ([]byte, error) {
	block := encryptedBlock(text)
	if block == nil {
		return text, nil
	}
	if command == "" {
		return nil, errors.New("the key is encrypted and ssl_passphrase_command is not set")
	}
	passphrase, err := runPassphraseCommand(ctx, command)
	if err != nil {
		return nil, err
	}
	if block.Type == pkcs8Encrypted {
		der, err := decryptPKCS8(block.Bytes, passphrase)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	// The old form is weak, but it is what existing files have.
	//lint:ignore SA1019 nothing else opens the old form
	der, err := x509.DecryptPEMBlock(block, passphrase)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
}

func encryptedBlock(text []byte) *pem.Block {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		//lint:ignore SA1019 nothing else tells the old form
		if block.Type == pkcs8Encrypted || x509.IsEncryptedPEMBlock(block) {
			return block
		}
	}
	return nil
}

// runPassphraseCommand returns the first line that the command prints.
func runPassphraseCommand(ctx context.Context, command string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, passphraseTimeout)
	defer cancel()
	shell := strings.NewReplacer("%%", "%", "%p", passphrasePrompt).Replace(command)
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", shell)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ssl_passphrase_command: %w", err)
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}
