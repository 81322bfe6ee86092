"""Campaigns, and the ledger that accounts for every device of theirs."""

from campaigns.models.campaign import PushCampaign
from campaigns.models.ledger import DeliveryBatch, Lane, PushLog
from campaigns.models.runs import AuditRun, RescueRun

__all__ = ["AuditRun", "DeliveryBatch", "Lane", "PushCampaign", "PushLog", "RescueRun"]
