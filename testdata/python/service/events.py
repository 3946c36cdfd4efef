"""The events as the family's Pydantic models describe them."""

from datetime import datetime, timezone
from enum import Enum
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, Field

TOPIC = "huleedu.class.updated.v1"


class CourseCode(str, Enum):
    ENG5 = "ENG5"
    ENG6 = "ENG6"
    ENG7 = "ENG7"
    SV1 = "SV1"
    SV2 = "SV2"
    SV3 = "SV3"


class ClassUpdatedV1(BaseModel):
    event: Literal["class.updated"] = "class.updated"
    class_id: str
    user_id: str
    class_designation: str | None = None
    course_codes: list[CourseCode] | None = None
    correlation_id: UUID = Field(default_factory=uuid4)
    timestamp: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))


Data = TypeVar("Data", bound=BaseModel)


class EventEnvelope(BaseModel, Generic[Data]):
    event_id: UUID = Field(default_factory=uuid4)
    event_type: str
    event_timestamp: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))
    source_service: str
    schema_version: int = 1
    correlation_id: UUID = Field(default_factory=uuid4)
    data_schema_uri: str | None = None
    data: Data
    metadata: dict[str, Any] | None = None
