# Installs the Gwanje agent as a Windows service and enrols this machine. From an elevated PowerShell, with Node.js 20.19 or newer on the PATH:
#   .\install.ps1 -Server https://gwanje.example -WinSW .\WinSW-x64.exe
# Once more, it brings the server's agent and keeps the key and the policy. WinSW: https://github.com/winsw/winsw
#Requires -RunAsAdministrator
param(
  [Parameter(Mandatory)] [string] $Server,
  [Parameter(Mandatory)] [string] $WinSW,
  [string] $Name = $env:COMPUTERNAME
)
$ErrorActionPreference = 'Stop'
$Server = $Server.TrimEnd('/')
$folder = Join-Path $env:ProgramData 'Gwanje'
$settings = Join-Path $folder 'agent.env'
$policy = Join-Path $folder 'policy.json'
$service = Join-Path $folder 'gwanje-agent.exe'
$node = (Get-Command node).Source
# Without a mark at the beginning, which the agent would take for a part of the first name.
$plain = New-Object System.Text.UTF8Encoding $false

# Nobody but the system and its administrators: the key is in here, and the journal.
New-Item -ItemType Directory -Force $folder | Out-Null
icacls $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' | Out-Null
if ($LASTEXITCODE -ne 0) { throw "the rights of $folder could not be set" }

# Only what the server announces is kept, and only when it runs here.
$announced = Invoke-RestMethod "$Server/api/agent/bundle.json"
$new = Join-Path $folder 'agent.new.js'
Invoke-WebRequest "$Server/api/agent/bundle" -OutFile $new -UseBasicParsing
if ((Get-FileHash $new -Algorithm SHA256).Hash -ne $announced.sha256) { throw 'what came is not the agent that was announced' }
$env:AGENT_DATA_DIR = Join-Path $folder 'data'
& $node $new --version | Out-Null
if ($LASTEXITCODE -ne 0) { throw 'the agent does not run on this machine' }

if (-not (Test-Path $settings)) {
  $secret = Read-Host 'Enrolment token' -AsSecureString
  $token = (New-Object System.Net.NetworkCredential '', $secret).Password
  $body = @{ token = $token; name = $Name; platform = 'Windows' } | ConvertTo-Json
  $enrolled = Invoke-RestMethod "$Server/api/enrol" -Method Post -ContentType 'application/json' -Body $body
  $lines = "SERVER_URL='$Server'", "CLIENT_KEY='$($enrolled.clientKey)'", "AGENT_DATA_DIR='$env:AGENT_DATA_DIR'", "AGENT_POLICY='$policy'"
  [IO.File]::WriteAllText($settings, ($lines -join "`n") + "`n", $plain)
}
if (-not (Test-Path $policy)) { [IO.File]::WriteAllText($policy, "{}`n", $plain) }

if (Get-Service gwanje-agent -ErrorAction SilentlyContinue) { Stop-Service gwanje-agent } else { Copy-Item $WinSW $service }
Move-Item -Force $new (Join-Path $folder 'agent.js')
$definition = (Get-Content -Raw (Join-Path $PSScriptRoot 'gwanje-agent.xml')).Replace('@NODE@', $node)
[IO.File]::WriteAllText((Join-Path $folder 'gwanje-agent.xml'), $definition, $plain)
if (-not (Get-Service gwanje-agent -ErrorAction SilentlyContinue)) { & $service install }
Start-Service gwanje-agent
Write-Output "The agent $($announced.version) runs as the service gwanje-agent. Its log is in $folder."
