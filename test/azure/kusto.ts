import { createRequire } from 'node:module';

/**
 * Microsoft's own KQL parser, compiled from C# to JavaScript: its files put a global `Kusto` in place and have
 * no usable types, hence the few we need here.
 */
interface KustoLanguage {
  KustoCode: { ParseAndAnalyze(text: string, globals: unknown): { GetDiagnostics(): KustoList } };
  GlobalState: { Default: { WithDatabase(database: unknown): unknown } };
  Symbols: {
    TableSymbol: { From(columns: string): { WithName(name: string): unknown } };
    DatabaseSymbol: { $ctor1: new (name: string, tables: unknown[]) => unknown };
  };
}

interface KustoList {
  Count: number;
  getItem(index: number): { Message: string };
}

const require = createRequire(import.meta.url);
require('@kusto/language-service-next/bridge.min.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.min.js');
const language = (globalThis as unknown as { Kusto: { Language: KustoLanguage } }).Kusto.Language;

const TABLES = {
  AppMetrics:
    '(TenantId:string, TimeGenerated:datetime, Name:string, ItemCount:int, Sum:real, Min:real, Max:real, Properties:dynamic, Type:string, _ItemId:string, _TimeReceived:datetime)',
  customMetrics:
    '(timestamp:datetime, name:string, value:real, valueCount:int, valueSum:real, valueMin:real, valueMax:real, customDimensions:dynamic, itemType:string, itemId:string)',
  // The columns of the tables' reference pages.
  ApiManagementGatewayLlmLog:
    '(TenantId:string, TimeGenerated:datetime, ApiVersion:string, CompletionTokens:int, CorrelationId:string, DeploymentName:string, IsStreamCompletion:bool, ModelName:string, OperationName:string, PromptTokens:int, Region:string, RequestId:string, RequestMessages:dynamic, ResponseMessages:dynamic, SequenceNumber:int, SourceSystem:string, TotalTokens:int, Type:string, _ItemId:string, _ResourceId:string)',
  ApiManagementGatewayLogs:
    '(TenantId:string, TimeGenerated:datetime, ApiId:string, ApimSubscriptionId:string, ApiRevision:string, BackendId:string, BackendResponseCode:int, CorrelationId:string, Errors:dynamic, IsRequestSuccess:bool, LastErrorReason:string, OperationId:string, ProductId:string, Region:string, ResponseCode:int, TotalTime:long, TraceRecords:dynamic, Type:string, Url:string, UserId:string, _ItemId:string, _ResourceId:string)',
};

const globals = language.GlobalState.Default.WithDatabase(
  new language.Symbols.DatabaseSymbol.$ctor1(
    'logs',
    Object.entries(TABLES).map(([name, columns]) =>
      language.Symbols.TableSymbol.From(columns).WithName(name),
    ),
  ),
);

/** What Microsoft's parser has to say against a query: syntax, unknown tables, columns and functions, types. */
export function diagnose(query: string): string[] {
  const diagnostics = language.KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  return Array.from({ length: diagnostics.Count }, (_, index) => diagnostics.getItem(index).Message);
}
