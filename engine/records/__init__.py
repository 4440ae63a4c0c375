"""What a run leaves behind: journal, ledger, receipts."""
