"""Random events, for a comparison of the models with the generated Go.

    python fuzz.py make SEED EVENTS   print events, one a line
    python fuzz.py compare            read lines of "go" and "python", two documents
                                      of one event, and print those that the models
                                      do not read alike
"""

import json
import random
import sys
from datetime import datetime, timedelta, timezone
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from events import ClassUpdatedV1, CourseCode, EventEnvelope

BATCH_STATUS = Literal[
    "awaiting_content_validation", "content_ingestion_failed", "processing_pipelines", "completed_successfully", "cancelled"
]
STAGE = Literal["pending", "initialized", "processing", "completed", "failed", "cancelled"]
CONTENT = Literal[
    "original_essay", "corrected_text", "processing_log", "nlp_metrics_json", "student_facing_ai_feedback_text", "ai_editor_revision_text",
    "ai_detailed_analysis_json", "grammar_analysis_json", "cj_results_json", "raw_upload_blob", "extracted_plaintext", "student_prompt_text",
]


class SystemMetadata(BaseModel):
    entity_id: str
    entity_type: str
    parent_id: str | None = None
    timestamp: datetime
    processing_stage: STAGE | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    event: str | None = None
    error_info: dict[str, Any] = Field(default_factory=dict)


class CJAssessmentCompletedV1(BaseModel):
    event_name: str = "cj_assessment.completed"
    entity_id: str | None = None
    entity_type: str | None = None
    parent_id: str | None = None
    timestamp: datetime
    status: BATCH_STATUS
    system_metadata: SystemMetadata
    cj_assessment_job_id: str
    processing_summary: dict[str, Any]


class CJAssessmentFailedV1(BaseModel):
    event_name: str = "cj_assessment.failed"
    entity_id: str | None = None
    entity_type: str | None = None
    parent_id: str | None = None
    timestamp: datetime
    status: BATCH_STATUS
    system_metadata: SystemMetadata
    cj_assessment_job_id: str


class StorageReference(BaseModel):
    references: dict[CONTENT, dict[str, str]] = Field(default_factory=dict)


class LLMConfig(BaseModel):
    model_override: str | None = None
    provider_override: str | None = None
    system_prompt_override: str | None = None
    judge_rubric_override: str | None = None
    reasoning_effort: str | None = None
    output_verbosity: str | None = None
    temperature_override: float | None = Field(default=None, ge=0, le=2)
    max_tokens_override: int | None = Field(default=None, gt=0)


class SpellcheckMetrics(BaseModel):
    total_corrections: int
    l2_dictionary_corrections: int
    spellchecker_corrections: int
    word_count: int
    correction_density: float


class EssayForCJ(BaseModel):
    essay_id: str
    text_storage_id: str
    spellcheck_metrics: SpellcheckMetrics | None = None


class CJAssessmentRequestedV1(BaseModel):
    event_name: str = "els.cj_assessment.requested"
    entity_id: str | None = None
    entity_type: str | None = None
    parent_id: str | None = None
    timestamp: datetime
    system_metadata: SystemMetadata
    essays_for_cj: list[EssayForCJ]
    language: str
    course_code: CourseCode
    student_prompt_ref: StorageReference | None = None
    llm_config_overrides: LLMConfig | None = None
    assignment_id: str | None = Field(default=None, max_length=100)
    user_id: str
    org_id: str | None = None


class EssayContentProvisionedV1(BaseModel):
    event: Literal["essay.content.provisioned"] = "essay.content.provisioned"
    entity_id: str
    file_upload_id: str
    original_file_name: str
    raw_file_storage_id: str
    text_storage_id: str
    file_size_bytes: int
    content_md5_hash: str | None = None
    correlation_id: UUID
    timestamp: datetime


class SpellcheckPhaseCompletedV1(BaseModel):
    entity_id: str
    batch_id: str
    correlation_id: str
    status: Literal["pending", "in_progress", "completed", "failed"]
    corrected_text_storage_id: str | None = None
    error_code: str | None = None
    processing_duration_ms: int
    timestamp: datetime


class EssayResult(BaseModel):
    essay_id: str
    normalized_score: float = Field(ge=0, le=1)
    letter_grade: str
    confidence_score: float = Field(ge=0, le=1)
    confidence_label: Literal["HIGH", "MID", "LOW"]
    bt_score: float
    rank: int = Field(gt=0)
    is_anchor: bool = False
    feedback_uri: str | None = None
    metrics_uri: str | None = None
    display_name: str | None = None


class AssessmentResultV1(BaseModel):
    event_name: str = "assessment.result.published"
    entity_id: str | None = None
    entity_type: str | None = None
    parent_id: str | None = None
    timestamp: datetime
    batch_id: str
    cj_assessment_job_id: str
    assessment_method: str
    model_used: str
    model_provider: str
    assignment_id: str | None = Field(default=None, max_length=100)
    model_version: str | None = None
    essay_results: list[EssayResult]
    assessment_metadata: dict[str, Any] = Field(default_factory=dict)
    assessed_at: datetime


ENVELOPES = {
    "huleedu.class.updated.v1": EventEnvelope[ClassUpdatedV1],
    "huleedu.cj_assessment.completed.v1": EventEnvelope[CJAssessmentCompletedV1],
    "huleedu.cj_assessment.failed.v1": EventEnvelope[CJAssessmentFailedV1],
    "huleedu.els.cj_assessment.requested.v1": EventEnvelope[CJAssessmentRequestedV1],
    "huleedu.assessment.result.published.v1": EventEnvelope[AssessmentResultV1],
    "huleedu.file.essay.content.provisioned.v1": EventEnvelope[EssayContentProvisionedV1],
    "huleedu.batch.spellcheck.phase.completed.v1": EventEnvelope[SpellcheckPhaseCompletedV1],
}


class Maker:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, most: int = 40) -> str:
        alphabets = ["abc XYZ 019", "åäö ÅÄÖ é ß", "\"\\/<>&'", "\n\t\r\b\f\x1f\x7f", "日本語🎓👩‍🏫\u2028\u2029\ufeff", "{}[]:,null true 1e5"]
        alphabet = self.random.choice(alphabets)
        return "".join(self.random.choice(alphabet) for _ in range(self.random.randrange(most)))

    def optional(self, make) -> Any:
        return make() if self.random.random() < 0.6 else None

    def uuid(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def moment(self) -> datetime:
        zone = self.random.choice([timezone.utc, timezone(timedelta(hours=2)), timezone(-timedelta(hours=9, minutes=30))])
        micros = self.random.choice([0, 5, 120000, 999999, self.random.randrange(1_000_000)])
        return datetime(self.random.randrange(1970, 2100), 2, 28, 23, 59, self.random.randrange(60), micros, zone)

    def number(self) -> float:
        return self.random.choice([0.0, 1.0, -0.5, 1e-7, 1e21, 5e-324, 1.7976931348623157e308, self.random.gauss(0, 1e6), self.random.random()])

    def value(self, depth: int = 0) -> Any:
        kind = self.random.randrange(7 if depth < 3 else 5)
        if kind == 0:
            return None
        if kind == 1:
            return self.random.random() < 0.5
        if kind == 2:
            return self.random.choice([0, -1, 2**53 + 1, -(2**63), 10**30])
        if kind == 3:
            return self.number()
        if kind == 4:
            return self.text()
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return self.object(depth + 1)

    def object(self, depth: int = 0) -> dict[str, Any]:
        return {self.text(8): self.value(depth) for _ in range(self.random.randrange(4))}

    def class_updated(self) -> ClassUpdatedV1:
        return ClassUpdatedV1(
            class_id=self.text() + "c", user_id=self.text(), class_designation=self.optional(self.text),
            course_codes=self.optional(lambda: self.random.choices(list(CourseCode), k=self.random.randrange(3))),
            correlation_id=self.uuid(), timestamp=self.moment(),
        )

    def base(self) -> dict[str, Any]:
        return {
            "entity_id": self.optional(lambda: self.text() + "e"), "entity_type": self.optional(self.text),
            "parent_id": self.optional(self.text), "timestamp": self.moment(),
        }

    def metadata(self) -> SystemMetadata:
        return SystemMetadata(
            entity_id=self.text(), entity_type=self.text(), parent_id=self.optional(self.text), timestamp=self.moment(),
            processing_stage=self.optional(lambda: self.random.choice(STAGE.__args__)), started_at=self.optional(self.moment),
            completed_at=self.optional(self.moment), event=self.optional(self.text), error_info=self.object(),
        )

    def completed(self) -> CJAssessmentCompletedV1:
        summary = {"total_essays": self.random.randrange(10**6), "processing_time_seconds": self.number(), "successful_essay_ids": [self.text()]}
        return CJAssessmentCompletedV1(
            **self.base(), status=self.random.choice(BATCH_STATUS.__args__), system_metadata=self.metadata(),
            cj_assessment_job_id=self.text(), processing_summary={**summary, "x" + self.text(6): self.value()},
        )

    def failed(self) -> CJAssessmentFailedV1:
        return CJAssessmentFailedV1(
            **self.base(), status=self.random.choice(BATCH_STATUS.__args__), system_metadata=self.metadata(), cj_assessment_job_id=self.text(),
        )

    def count(self) -> int:
        return self.random.choice([0, -1, 1, 2**53 + 1, -(2**63), 2**63 - 1, self.random.randrange(10**6)])

    def storage(self) -> StorageReference:
        kinds = self.random.sample(CONTENT.__args__, self.random.randrange(4))
        return StorageReference(references={kind: {self.text(8): self.text() for _ in range(self.random.randrange(3))} for kind in kinds})

    def llm_config(self) -> LLMConfig:
        return LLMConfig(
            model_override=self.optional(self.text), provider_override=self.optional(self.text), system_prompt_override=self.optional(self.text),
            judge_rubric_override=self.optional(self.text), reasoning_effort=self.optional(self.text), output_verbosity=self.optional(self.text),
            temperature_override=self.optional(lambda: self.random.choice([0.0, 2.0, 2 * self.random.random()])),
            max_tokens_override=self.optional(lambda: self.random.choice([1, 2**63 - 1, self.random.randrange(1, 10**6)])),
        )

    def metrics(self) -> SpellcheckMetrics:
        return SpellcheckMetrics(
            total_corrections=self.count(), l2_dictionary_corrections=self.count(), spellchecker_corrections=self.count(),
            word_count=self.count(), correction_density=self.number(),
        )

    def essay_for_cj(self) -> EssayForCJ:
        return EssayForCJ(essay_id=self.text(), text_storage_id=self.text(), spellcheck_metrics=self.optional(self.metrics))

    def requested(self) -> CJAssessmentRequestedV1:
        return CJAssessmentRequestedV1(
            **self.base(), system_metadata=self.metadata(), essays_for_cj=[self.essay_for_cj() for _ in range(self.random.randrange(4))],
            language=self.text(), course_code=self.random.choice(list(CourseCode)), student_prompt_ref=self.optional(self.storage),
            llm_config_overrides=self.optional(self.llm_config), assignment_id=self.optional(lambda: self.text(100)), user_id=self.text(),
            org_id=self.optional(self.text),
        )

    def provisioned(self) -> EssayContentProvisionedV1:
        return EssayContentProvisionedV1(
            entity_id=self.text(), file_upload_id=self.text() + "f", original_file_name=self.text(), raw_file_storage_id=self.text(),
            text_storage_id=self.text(), file_size_bytes=self.count(), content_md5_hash=self.optional(self.text), correlation_id=self.uuid(),
            timestamp=self.moment(),
        )

    def spellchecked(self) -> SpellcheckPhaseCompletedV1:
        return SpellcheckPhaseCompletedV1(
            entity_id=self.text() + "e", batch_id=self.text(), correlation_id=self.text() + "c",
            status=self.random.choice(["pending", "in_progress", "completed", "failed"]), corrected_text_storage_id=self.optional(self.text),
            error_code=self.optional(self.text), processing_duration_ms=self.count(), timestamp=self.moment(),
        )

    def essay(self) -> EssayResult:
        return EssayResult(
            essay_id=self.text(), normalized_score=self.random.random(), letter_grade=self.random.choice(["A", "B+", "F-", "U"]),
            confidence_score=self.random.choice([0.0, 1.0, self.random.random()]), confidence_label=self.random.choice(["HIGH", "MID", "LOW"]),
            bt_score=self.number(), rank=self.random.randrange(1, 2**40), is_anchor=self.random.random() < 0.5,
            feedback_uri=self.optional(self.text), metrics_uri=self.optional(self.text), display_name=self.optional(self.text),
        )

    def result(self) -> AssessmentResultV1:
        return AssessmentResultV1(
            **self.base(), batch_id=self.text() + "b", cj_assessment_job_id=self.text(), assessment_method=self.text(),
            model_used=self.text(), model_provider=self.text(), assignment_id=self.optional(lambda: self.text(100)),
            model_version=self.optional(self.text), essay_results=[self.essay() for _ in range(self.random.randrange(4))],
            assessment_metadata=self.object(), assessed_at=self.moment(),
        )

    def envelope(self) -> EventEnvelope:
        event_type = self.random.choice(list(ENVELOPES))
        make = {
            "huleedu.class.updated.v1": self.class_updated,
            "huleedu.cj_assessment.completed.v1": self.completed,
            "huleedu.cj_assessment.failed.v1": self.failed,
            "huleedu.els.cj_assessment.requested.v1": self.requested,
            "huleedu.assessment.result.published.v1": self.result,
            "huleedu.file.essay.content.provisioned.v1": self.provisioned,
            "huleedu.batch.spellcheck.phase.completed.v1": self.spellchecked,
        }[event_type]
        return ENVELOPES[event_type](
            event_id=self.uuid(), event_type=event_type, event_timestamp=self.moment(), source_service=self.text() + "s",
            correlation_id=self.uuid(), data_schema_uri=self.optional(lambda: "https://schemas.example/x"), data=make(), metadata=self.optional(self.object),
        )

    def document(self) -> str:
        """The event as a service writes it: by Pydantic, or through a column of the type JSON."""
        event = self.envelope()
        how = {"exclude_none": self.random.random() < 0.2, "exclude_defaults": False}
        if self.random.random() < 0.5:
            return event.model_dump_json(**how)
        return json.dumps(event.model_dump(mode="json", **how), ensure_ascii=self.random.random() < 0.5)


def make(seed: int, events: int) -> None:
    maker = Maker(seed)
    for _ in range(events):
        print(json.dumps(maker.document()))


def compare() -> None:
    compared = 0
    for line in sys.stdin:
        pair = json.loads(line)
        model = ENVELOPES[json.loads(pair["python"])["event_type"]]
        try:
            same = model.model_validate_json(pair["go"]) == model.model_validate_json(pair["python"])
        except ValueError as error:
            print(f"{error}\n{line}")
            continue
        if not same:
            print(f"the models read two events in\n{line}")
        compared += 1
    print(f"alike: {compared}")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(int(sys.argv[2]), int(sys.argv[3]))
    else:
        compare()
