DROP TABLE token_revocations;
DROP TABLE issued_tokens;
