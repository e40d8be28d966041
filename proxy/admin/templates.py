"""`/v1/admin/tenants/templates`: what new tenants are made from. The MSP's people only."""

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta

from proxy.admin.endpoint import (
    AnyEndpoint,
    Asked,
    Deleted,
    Endpoint,
    NoBody,
    NoQuery,
    bad,
    check_permission,
    not_there,
)
from proxy.admin.stores import PackageStore, TemplateStore
from proxy.catalog.refresh import Shelf
from proxy.domain.people import Template
from proxy.domain.permissions import MSP_BILLING, MSP_TENANTS, MSP_VIEW
from proxy.ledger.support_record import moment


class TemplateDocument(msgspec.Struct, frozen=True):
    """A template of tenants."""

    id: str
    name: str
    package_id: str | None
    package_name: str | None
    default_model_name: str | None
    beta_features: bool
    mfa_required: bool
    created_at: str
    updated_at: str


class TemplatePage(msgspec.Struct, frozen=True):
    """Newest first. `next_cursor` asks for the page behind; null: this was the last."""

    templates: list[TemplateDocument]
    next_cursor: str | None


class TemplateQuery(msgspec.Struct, frozen=True):
    """`cursor` is `next_cursor` of the page before: `created_at` of its last row."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: str | None = None


class TemplateWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A template to make."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    package_id: str | None = None
    default_model_name: str | None = None
    beta_features: bool = False
    mfa_required: bool = False


class TemplatePages:
    """The handlers."""

    def __init__(self, templates: TemplateStore, packages: PackageStore, shelf: Shelf) -> None:
        self._templates = templates
        self._packages = packages
        self._shelf = shelf

    async def page(self, asked: Asked[TemplateQuery, None]) -> TemplatePage:
        """`GET`: a page of them."""
        query = asked.query
        # One more than asked for tells whether there is a page behind.
        found = await self._templates.page(query.limit + 1, cursor=_read_cursor(query.cursor))
        rows = [_document(each) for each in found[: query.limit]]
        return TemplatePage(rows, rows[-1].created_at if len(found) > query.limit else None)

    async def read(self, asked: Asked[NoQuery, None]) -> TemplateDocument:
        """`GET /{template_id}`: one."""
        template_id = asked.path["template_id"]
        template = await self._templates.get(template_id)
        if template is None:
            raise not_there("template", template_id)
        return _document(template)

    async def make(self, asked: Asked[NoQuery, TemplateWish]) -> TemplateDocument:
        """`POST`: a new one."""
        wish = asked.body
        if wish.package_id is not None:
            # Otherwise a template would be a way to packages for who may not buy them.
            check_permission(asked.caller, (MSP_BILLING,))
            if await self._packages.get(wish.package_id) is None:
                raise bad("package_id", f"There is no package {wish.package_id[:200]!r}.")
        default = wish.default_model_name
        if default is not None:
            model = self._shelf.current.find(default)
            if model is None:
                raise bad("default_model_name", f"There is no model {default[:200]!r}.")
            default = model.id
        made = await self._templates.create(
            wish.name,
            asked.actor,
            package_id=wish.package_id,
            default_model_name=default,
            beta_features=wish.beta_features,
            mfa_required=wish.mfa_required,
        )
        return _document(made)

    async def delete(self, asked: Asked[NoQuery, None]) -> Deleted:
        """`DELETE /{template_id}`: tenants made from it stay as they are."""
        template_id = asked.path["template_id"]
        if await self._templates.get(template_id) is None:
            raise not_there("template", template_id)
        await self._templates.delete(template_id, asked.actor)
        return Deleted(template_id)


def _read_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        at = dt.datetime.fromisoformat(cursor)
        if at.tzinfo is None:
            at = at.replace(tzinfo=dt.UTC)
        # Not through a float: a millisecond off would show a row twice, or not at all.
        return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise bad("cursor", "Take it from next_cursor of the page before.") from None


def _document(template: Template) -> TemplateDocument:
    return TemplateDocument(
        id=template.id,
        name=template.name,
        package_id=template.package_id,
        package_name=template.package,
        default_model_name=template.default_model_name,
        beta_features=template.beta_features,
        mfa_required=template.mfa_required,
        created_at=moment(template.created_at),
        updated_at=moment(template.updated_at),
    )


def endpoints(pages: TemplatePages) -> list[AnyEndpoint]:
    """The rows of the table."""
    path = "/v1/admin/tenants/templates"
    return [
        Endpoint(
            method="GET",
            path=path,
            summary="Templates of tenants",
            handler=pages.page,
            reply=TemplatePage,
            query=TemplateQuery,
            body=NoBody,
            needs=(MSP_VIEW, MSP_TENANTS),
        ),
        Endpoint(
            method="POST",
            path=path,
            summary="Make a template",
            handler=pages.make,
            reply=TemplateDocument,
            query=NoQuery,
            body=TemplateWish,
            needs=(MSP_TENANTS,),
            status=201,
        ),
        Endpoint(
            method="GET",
            path=path + "/{template_id}",
            summary="One template",
            handler=pages.read,
            reply=TemplateDocument,
            query=NoQuery,
            body=NoBody,
            needs=(MSP_VIEW, MSP_TENANTS),
        ),
        Endpoint(
            method="DELETE",
            path=path + "/{template_id}",
            summary="Delete a template",
            handler=pages.delete,
            reply=Deleted,
            query=NoQuery,
            body=NoBody,
            needs=(MSP_TENANTS,),
        ),
    ]
