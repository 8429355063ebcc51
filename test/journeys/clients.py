"""Does what an application does with the official Python clients, against the edge, and prints what came of it as one JSON object."""

import asyncio
import json
import os

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from openai import APIStatusError, OpenAI

EDGE = os.environ["EDGE"]
KEY = os.environ["KEY"]
MODEL = os.environ["MODEL"]
EMBEDDER = os.environ["EMBEDDER"]
QUESTION = os.environ["QUESTION"]
MESSAGES = [{"role": "user", "content": QUESTION}]
TOOL = {"type": "function", "function": {"name": "calculator", "parameters": {"type": "object", "properties": {}}}}


def through_openai() -> dict:
    client = OpenAI(base_url=f"{EDGE}/v1", api_key=KEY, max_retries=0)
    models = [model.id for model in client.models.list()]
    whole = client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[TOOL])
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    vectors = client.embeddings.create(model=EMBEDDER, input=[QUESTION, "barley"])
    floats = client.embeddings.create(model=EMBEDDER, input=QUESTION, encoding_format="float")
    try:
        OpenAI(base_url=f"{EDGE}/v1", api_key="ak_nothing", max_retries=0).models.list()
        refused = None
    except APIStatusError as error:
        refused = error.status_code
    return {
        "models": models,
        "answer": whole.choices[0].message.content,
        "finish": whole.choices[0].finish_reason,
        "citations": whole.model_extra["citations"],
        "usage": whole.usage.total_tokens,
        "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "streamed_usage": chunks[-1].usage.total_tokens,
        "chunks": len(chunks),
        "embeddings": [vector.embedding for vector in vectors.data],
        "embedded_alone": floats.data[0].embedding,
        "refused": refused,
    }


async def through_mcp() -> dict:
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, timeout=30) as http:
        async with Client(streamable_http_client(f"{EDGE}/mcp", http_client=http)) as client:
            tools = (await client.list_tools()).tools
            found = await client.call_tool("search_documents", {"query": QUESTION, "top_k": 1})
            [passage] = found.structured_content["passages"]
            read = await client.call_tool("read_document", {"document_id": passage["document_id"]})
            asked = await client.call_tool("ask", {"user_request": QUESTION})
            wrong = await client.call_tool("search_documents", {"question": QUESTION})
            return {
                "tools": [tool.name for tool in tools],
                "found": passage["content"],
                "read": read.structured_content["text"],
                "asked": asked.structured_content,
                "wrong": {"is_error": wrong.is_error, "text": wrong.content[0].text},
            }


print(json.dumps({"openai": through_openai(), "mcp": asyncio.run(through_mcp())}))
